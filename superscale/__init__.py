"""Why does loss fall with model width, and how far will it fall? The public names.

Use ``Frequencies`` to say how often features occur, ``predict`` for the loss by every theory,
``train`` for what a toy model really does, ``compare`` for both side by side, ``population_loss``
for the exact loss of a given model, ``overlaps`` for how much the rows of a matrix interfere,
``analyze`` for that and more on the unembedding of a language model. Each name is loaded when it is
first used, so that ``import superscale`` is quick.

Examples
--------
>>> import superscale as ss
>>> words = ss.Frequencies.power_law(n=1000, alpha=1.0)
>>> ss.predict(words, m=[10, 100]).loss["weak"].round(3)
array([0.81 , 0.409])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Activation": "theory.activation",
    "Bootstrap": "empirical.scaling_laws.resampling",
    "Bound": "theory.bounds.packing_bounds",
    "Bounds": "theory.bounds.packing_bounds",
    "Bracket": "empirical.comparisons.bracket",
    "ChinchillaFit": "empirical.scaling_laws.chinchilla.fit",
    "Comparison": "empirical.comparisons.comparison",
    "ConvergenceError": "theory.mean_field.solve",
    "CrossEntropy": "numerics.overlaps.cross_entropy",
    "DivergenceError": "empirical.training.train",
    "EnergyCertificate": "theory.bounds.certificates",
    "ExponentTest": "empirical.scaling_laws.resampling",
    "FittedExponent": "empirical.scaling_laws.exponent_fit",
    "Forecast": "empirical.scaling_laws.forecast",
    "Frequencies": "theory.frequencies",
    "Influence": "empirical.scaling_laws.resampling",
    "InterruptedComparison": "empirical.comparisons.trained",
    "InterruptedSweep": "empirical.sweeps.sweep",
    "Interval": "empirical.scaling_laws.profile_likelihood",
    "LawComparison": "empirical.scaling_laws.law_comparison",
    "LineSystem": "numerics.packings.constructions.line_system",
    "LossBound": "theory.bounds.loss_bounds",
    "LossEstimate": "numerics.loss.monte_carlo",
    "LossReport": "numerics.loss.exact",
    "MeanField": "theory.mean_field.solution",
    "Measurement": "empirical.training.diagnostics",
    "Overlaps": "numerics.overlaps.result",
    "Packing": "numerics.packings.packing",
    "PackingCertificate": "theory.bounds.certificates",
    "PowerLawFit": "empirical.scaling_laws.power_law_fit",
    "PowerPotential": "theory.bounds.certificates",
    "Prediction": "theory.prediction",
    "RandomOverlap": "theory.directions",
    "RankLawFit": "theory.rank_frequency.fits",
    "ReluPotential": "theory.bounds.certificates",
    "Reproduction": "empirical.comparisons.figures",
    "RowAdamW": "empirical.training.optimizer",
    "RowMatrix": "numerics.tensors.row_matrix",
    "RowNorms": "empirical.unembeddings.row_norms",
    "Spectrum": "numerics.overlaps.spectrum",
    "StorageError": "empirical.sweeps.store",
    "SweepResult": "empirical.sweeps.result",
    "TokenCounts": "empirical.counts.token_counts",
    "ToyModel": "numerics.toy_model",
    "TrainingRun": "empirical.training.run",
    "Treatments": "numerics.overlaps.treatments",
    "Unembedding": "empirical.unembeddings.unembedding",
    "UnembeddingFamily": "empirical.unembeddings.family",
    "UnembeddingReport": "empirical.unembeddings.report",
    "WidthExponent": "empirical.scaling_laws.chinchilla.width_exponent",
    "WidthExponents": "empirical.counts.width_exponents",
    "WidthForecast": "empirical.scaling_laws.forecast",
    "ZipfComparison": "empirical.counts.zipf_comparison",
    "ZipfFit": "theory.rank_frequency.zipf_exponent",
    "analyze": "empirical.unembeddings.report",
    "analyze_many": "empirical.unembeddings.family",
    "bound_one_active_loss": "theory.bounds.loss_bounds",
    "bounds": "theory.bounds.packing_bounds",
    "bracket_loss": "empirical.comparisons.bracket",
    "certify_energy": "theory.bounds.linear_programming",
    "certify_packing": "theory.bounds.linear_programming",
    "compare": "empirical.comparisons.trained",
    "compare_reference": "empirical.comparisons.published",
    "compare_treatments": "numerics.overlaps.treatments",
    "compare_zipf": "empirical.counts.zipf",
    "construct": "numerics.packings.constructions.known",
    "count_tokens": "empirical.counts.tokens",
    "equiangular_conditions": "theory.bounds.packing_bounds",
    "equiangular_loss": "theory.regimes.equiangular",
    "estimate_cross_entropy": "numerics.overlaps.cross_entropy",
    "fit_chinchilla": "empirical.scaling_laws.chinchilla.fit",
    "fit_exponent": "empirical.scaling_laws.exponent_fit",
    "fit_power_law": "empirical.scaling_laws.power_law",
    "fit_rank_law": "theory.rank_frequency.fits",
    "fit_zipf": "theory.rank_frequency.zipf_exponent",
    "frame_capacity": "theory.directions",
    "frame_potential": "theory.bounds.packing_bounds",
    "interference_loss": "theory.regimes.one_active",
    "load_measured": "empirical.comparisons.shipped",
    "load_reference": "empirical.comparisons.published",
    "lost_loss": "theory.regimes.weak",
    "mean_square_overlap": "numerics.overlaps.unit_rows",
    "measure": "empirical.training.diagnostics",
    "monte_carlo_loss": "numerics.loss.monte_carlo",
    "open_matrix": "numerics.tensors.row_matrix",
    "open_unembedding": "empirical.unembeddings.unembedding",
    "overlaps": "numerics.overlaps.statistics",
    "pack": "numerics.packings.search",
    "population_loss": "numerics.loss.exact",
    "predict": "theory.registry",
    "predict_width_exponents": "empirical.counts.width_exponents",
    "random_overlaps": "numerics.overlaps.statistics",
    "read_counts": "empirical.counts.table",
    "read_losses": "empirical.scaling_laws.loss_table",
    "reproduce": "empirical.comparisons.figures",
    "self_loss": "theory.regimes.one_active",
    "solve_mean_field": "theory.mean_field.solve",
    "spectrum": "numerics.overlaps.spectrum",
    "sweep": "empirical.sweeps.sweep",
    "train": "empirical.training.train",
    "train_many": "empirical.training.train_many",
    "weak_exponent": "theory.regimes.weak",
    "weak_loss": "theory.regimes.weak",
    "welch_mean_square": "theory.directions",
    "width_exponent": "empirical.scaling_laws.chinchilla.width_exponent",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from empirical.comparisons.bracket import Bracket as Bracket
    from empirical.comparisons.bracket import bracket_loss as bracket_loss
    from empirical.comparisons.comparison import Comparison as Comparison
    from empirical.comparisons.figures import Reproduction as Reproduction
    from empirical.comparisons.figures import reproduce as reproduce
    from empirical.comparisons.published import compare_reference as compare_reference
    from empirical.comparisons.published import load_reference as load_reference
    from empirical.comparisons.shipped import load_measured as load_measured
    from empirical.comparisons.trained import InterruptedComparison as InterruptedComparison
    from empirical.comparisons.trained import compare as compare
    from empirical.counts.table import read_counts as read_counts
    from empirical.counts.token_counts import TokenCounts as TokenCounts
    from empirical.counts.tokens import count_tokens as count_tokens
    from empirical.counts.width_exponents import WidthExponents as WidthExponents
    from empirical.counts.width_exponents import predict_width_exponents as predict_width_exponents
    from empirical.counts.zipf import compare_zipf as compare_zipf
    from empirical.counts.zipf_comparison import ZipfComparison as ZipfComparison
    from empirical.scaling_laws.chinchilla.fit import ChinchillaFit as ChinchillaFit
    from empirical.scaling_laws.chinchilla.fit import fit_chinchilla as fit_chinchilla
    from empirical.scaling_laws.chinchilla.width_exponent import WidthExponent as WidthExponent
    from empirical.scaling_laws.chinchilla.width_exponent import width_exponent as width_exponent
    from empirical.scaling_laws.exponent_fit import FittedExponent as FittedExponent
    from empirical.scaling_laws.exponent_fit import fit_exponent as fit_exponent
    from empirical.scaling_laws.forecast import Forecast as Forecast
    from empirical.scaling_laws.forecast import WidthForecast as WidthForecast
    from empirical.scaling_laws.law_comparison import LawComparison as LawComparison
    from empirical.scaling_laws.loss_table import read_losses as read_losses
    from empirical.scaling_laws.power_law import fit_power_law as fit_power_law
    from empirical.scaling_laws.power_law_fit import PowerLawFit as PowerLawFit
    from empirical.scaling_laws.profile_likelihood import Interval as Interval
    from empirical.scaling_laws.resampling import Bootstrap as Bootstrap
    from empirical.scaling_laws.resampling import ExponentTest as ExponentTest
    from empirical.scaling_laws.resampling import Influence as Influence
    from empirical.sweeps.result import SweepResult as SweepResult
    from empirical.sweeps.store import StorageError as StorageError
    from empirical.sweeps.sweep import InterruptedSweep as InterruptedSweep
    from empirical.sweeps.sweep import sweep as sweep
    from empirical.training.diagnostics import Measurement as Measurement
    from empirical.training.diagnostics import measure as measure
    from empirical.training.optimizer import RowAdamW as RowAdamW
    from empirical.training.run import TrainingRun as TrainingRun
    from empirical.training.train import DivergenceError as DivergenceError
    from empirical.training.train import train as train
    from empirical.training.train_many import train_many as train_many
    from empirical.unembeddings.family import UnembeddingFamily as UnembeddingFamily
    from empirical.unembeddings.family import analyze_many as analyze_many
    from empirical.unembeddings.report import UnembeddingReport as UnembeddingReport
    from empirical.unembeddings.report import analyze as analyze
    from empirical.unembeddings.row_norms import RowNorms as RowNorms
    from empirical.unembeddings.unembedding import Unembedding as Unembedding
    from empirical.unembeddings.unembedding import open_unembedding as open_unembedding
    from numerics.loss.exact import LossReport as LossReport
    from numerics.loss.exact import population_loss as population_loss
    from numerics.loss.monte_carlo import LossEstimate as LossEstimate
    from numerics.loss.monte_carlo import monte_carlo_loss as monte_carlo_loss
    from numerics.overlaps.cross_entropy import CrossEntropy as CrossEntropy
    from numerics.overlaps.cross_entropy import estimate_cross_entropy as estimate_cross_entropy
    from numerics.overlaps.result import Overlaps as Overlaps
    from numerics.overlaps.spectrum import Spectrum as Spectrum
    from numerics.overlaps.spectrum import spectrum as spectrum
    from numerics.overlaps.statistics import overlaps as overlaps
    from numerics.overlaps.statistics import random_overlaps as random_overlaps
    from numerics.overlaps.treatments import Treatments as Treatments
    from numerics.overlaps.treatments import compare_treatments as compare_treatments
    from numerics.overlaps.unit_rows import mean_square_overlap as mean_square_overlap
    from numerics.packings.constructions.known import construct as construct
    from numerics.packings.constructions.line_system import LineSystem as LineSystem
    from numerics.packings.packing import Packing as Packing
    from numerics.packings.search import pack as pack
    from numerics.tensors.row_matrix import RowMatrix as RowMatrix
    from numerics.tensors.row_matrix import open_matrix as open_matrix
    from numerics.toy_model import ToyModel as ToyModel
    from theory.activation import Activation as Activation
    from theory.bounds.certificates import EnergyCertificate as EnergyCertificate
    from theory.bounds.certificates import PackingCertificate as PackingCertificate
    from theory.bounds.certificates import PowerPotential as PowerPotential
    from theory.bounds.certificates import ReluPotential as ReluPotential
    from theory.bounds.linear_programming import certify_energy as certify_energy
    from theory.bounds.linear_programming import certify_packing as certify_packing
    from theory.bounds.loss_bounds import LossBound as LossBound
    from theory.bounds.loss_bounds import bound_one_active_loss as bound_one_active_loss
    from theory.bounds.packing_bounds import Bound as Bound
    from theory.bounds.packing_bounds import Bounds as Bounds
    from theory.bounds.packing_bounds import bounds as bounds
    from theory.bounds.packing_bounds import equiangular_conditions as equiangular_conditions
    from theory.bounds.packing_bounds import frame_potential as frame_potential
    from theory.directions import RandomOverlap as RandomOverlap
    from theory.directions import frame_capacity as frame_capacity
    from theory.directions import welch_mean_square as welch_mean_square
    from theory.frequencies import Frequencies as Frequencies
    from theory.mean_field.solution import MeanField as MeanField
    from theory.mean_field.solve import ConvergenceError as ConvergenceError
    from theory.mean_field.solve import solve_mean_field as solve_mean_field
    from theory.prediction import Prediction as Prediction
    from theory.rank_frequency.fits import RankLawFit as RankLawFit
    from theory.rank_frequency.fits import fit_rank_law as fit_rank_law
    from theory.rank_frequency.zipf_exponent import ZipfFit as ZipfFit
    from theory.rank_frequency.zipf_exponent import fit_zipf as fit_zipf
    from theory.regimes.equiangular import equiangular_loss as equiangular_loss
    from theory.regimes.one_active import interference_loss as interference_loss
    from theory.regimes.one_active import self_loss as self_loss
    from theory.regimes.weak import lost_loss as lost_loss
    from theory.regimes.weak import weak_exponent as weak_exponent
    from theory.regimes.weak import weak_loss as weak_loss
    from theory.registry import predict as predict


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'superscale' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
