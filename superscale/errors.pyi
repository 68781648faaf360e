from empirical.comparisons.trained import InterruptedComparison as InterruptedComparison
from empirical.sweeps.store import StorageError as StorageError
from empirical.sweeps.sweep import InterruptedSweep as InterruptedSweep
from empirical.training.train import DivergenceError as DivergenceError
from theory.mean_field.solve import ConvergenceError as ConvergenceError
