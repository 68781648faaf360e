"""Statistics of the unembedding of a language model: norms, overlaps, spectrum, cross entropy.

``analyze(source)`` takes a model's file, an array or a ``RowMatrix`` and returns an
``UnembeddingReport``; ``empirical.unembeddings.family.analyze_many`` compares several models. A
report holds summary statistics only, no array as long as the vocabulary.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from empirical.unembeddings.row_norms import RowNorms, summarise_norms
from empirical.unembeddings.rows import choose, describe_untrained, find_untrained
from empirical.unembeddings.unembedding import Unembedding, open_unembedding
from numerics.overlaps.cross_entropy import CrossEntropy, estimate_cross_entropy
from numerics.overlaps.result import Overlaps
from numerics.overlaps.spectrum import Spectrum, spectrum
from numerics.overlaps.statistics import TooFewRowsError, choose_pairs
from numerics.overlaps.treatments import Treatments, compare_treatments
from numerics.tensors.row_matrix import RowMatrix, as_rows, suspect_columns
from theory.checks import check_integer, read_only
from theory.computing.argument_kinds import check_kinds
from theory.results import result


@dataclass(frozen=True, eq=False)
@result
class UnembeddingReport:
    """Statistics of one unembedding.

    Attributes
    ----------
    name, path, tensor, format : str
        Its source; all but the name are empty for an array.
    tied : bool
        Whether it is the input embedding, too.
    n, m : int
        Vocabulary and width.
    norms : RowNorms
        Norms of the rows as they are.
    overlaps : Treatments
        Overlaps raw, centred, and with leading directions removed (their arrays ``norms`` are left
        empty). Mean and mean square are exact.
    spectra : tuple of Spectrum
        Of the raw and of the centred second moments.
    cross_entropies : tuple of CrossEntropy
        Cross entropy that the overlaps cause, raw and centred.
    weighted_overlaps : Treatments or None
        Means and mean squares with pairs weighted by the product of their counts; None without
        counts. Centring and directions are those of the unweighted rows.
    weighted_cross_entropies : tuple of CrossEntropy
        With tokens weighted by their counts; empty without.
    rows_left_out : int
        Rows beyond the counts (padding of the vocabulary), which are not among the n.
    untrained_rows : int
        Rows among the n that equal another, or have a norm below 5 % of the median (zeros apart).
    notes : tuple of str
        Which rows these are, and whether the matrix may be stored with tokens as columns.
    """

    name: str
    path: str
    tensor: str
    format: str
    tied: bool
    n: int
    m: int
    norms: RowNorms
    overlaps: Treatments
    spectra: tuple[Spectrum, ...]
    cross_entropies: tuple[CrossEntropy, ...]
    weighted_overlaps: Treatments | None = None
    weighted_cross_entropies: tuple[CrossEntropy, ...] = ()
    rows_left_out: int = 0
    untrained_rows: int = 0
    notes: tuple[str, ...] = ()

    def __getitem__(self, treatment: str) -> Overlaps:
        """Return the overlaps after a treatment: "raw", "centred" or "removed"."""
        for one in self.overlaps.results:
            if treatment in (one.treatment, one.treatment.split()[-1]):
                return one
        known = ", ".join(repr(one.treatment) for one in self.overlaps.results)
        raise KeyError(f"no treatment {treatment!r}: there are {known}")

    @property
    def weak_share(self) -> float:
        """The value of φ_1/2 in weak superposition, m/n (at most 1); in strong it is 1."""
        return min(1.0, self.m / self.n)

    @property
    def caveats(self) -> tuple[str, ...]:
        """Restrictions on the use of the numbers, beginning with treatments left out."""
        every = (*self.cross_entropies, *self.weighted_cross_entropies)
        notes = [
            f"{one.treatment}{', weighted' * one.weighted}: {reason}"
            for one in every
            for reason in one.caveats
        ]
        zeros = self.overlaps.results[0].rows_of_zeros.size
        if zeros:
            notes.insert(0, f"{zeros} rows of zeros have no direction and are left out")
        left_out = (f"left out: {reason}" for reason in self.overlaps.left_out)
        return (*left_out, *self.notes, *notes)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each quantity and treatment, beside random directions and Welch.

        "random" is for uniform directions (mean square 1/m, m less the directions removed), "welch"
        the least mean square and coherence and the largest participation ratio possible.
        """
        records: list[dict[str, Any]] = []

        def add(quantity: str, treatment: str, value: float, **known: float) -> None:
            records.append({"quantity": quantity, "treatment": treatment, "value": value, **known})

        for start, found in (("", self.overlaps), ("weighted_", self.weighted_overlaps)):
            for one in found.results if found else ():
                for row in one.to_dataframe().to_dict("records"):
                    known = {column: row[column] for column in ("stderr", "random", "welch")}
                    add(f"{start}{row['statistic']}", one.treatment, row["value"], **known)
        for part in self.spectra:
            known = {"random": part.random_participation, "welch": part.largest_participation}
            add("participation", part.treatment, part.participation, **known)
            add("first_share", part.treatment, part.share())
        for cost in (*self.cross_entropies, *self.weighted_cross_entropies):
            start = "weighted_" * cost.weighted
            add(f"{start}cross_entropy", cost.treatment, cost.cross_entropy, stderr=cost.stderr)
            add(f"{start}floor", cost.treatment, cost.floor)
            add(f"{start}size_part", cost.treatment, cost.size_part, stderr=cost.stderr)
            for name in ("second_order", "published"):
                add(f"{start}{name}", cost.treatment, getattr(cost, name))
        for name in ("mean", "std", "smallest", "largest"):
            add(f"norm_{name}", "raw", getattr(self.norms, name))
        for q, norm in self.norms.quantiles.items():
            add(f"norm_quantile({q:g})", "raw", norm)
        for name in ("phi_half", "phi_half_median"):
            add(name, "raw", getattr(self.norms, name))
        for name in ("rows_left_out", "untrained_rows"):
            if getattr(self, name):
                add(name, "raw", getattr(self, name))
        return pd.DataFrame(
            records, columns=["quantity", "treatment", "value", "stderr", "random", "welch"]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        record = {
            name: getattr(self, name)
            for name in ("name", "path", "tensor", "format", "tied", "n", "m", "weak_share")
        }
        record |= {"rows_left_out": self.rows_left_out, "untrained_rows": self.untrained_rows}
        record["norms"] = self.norms.to_dict()
        record["overlaps"] = [_overlap_record(one) for one in self.overlaps.results]
        if self.weighted_overlaps is not None:
            record["weighted_overlaps"] = [
                _overlap_record(one) for one in self.weighted_overlaps.results
            ]
        record["spectra"] = [
            {
                "treatment": one.treatment,
                "participation": one.participation,
                "random": one.random_participation,
                "largest": one.largest_participation,
                "first_share": one.share(),
                "singular_values": one.singular_values.tolist(),
            }
            for one in self.spectra
        ]
        record["cross_entropy"] = [asdict(one) for one in self.cross_entropies]
        if self.weighted_cross_entropies:
            record["weighted_cross_entropy"] = [asdict(x) for x in self.weighted_cross_entropies]
        record["caveats"] = list(self.caveats)
        return record

    def plot(self, ax: Any = None) -> Any:
        """Draw the density of overlaps after each treatment, beside random directions."""
        ax = self.overlaps.plot(ax)
        ax.set_title(f"{self.name}: {self.n} rows in {self.m} dimensions", fontsize="medium")
        return ax

    def __str__(self) -> str:
        norms = self.norms
        where = ", ".join(part for part in (self.tensor, "tied" * self.tied) if part)
        lines = [
            f"{self.name}: n = {self.n}, m = {self.m}{f' ({where})' if where else ''}",
            f"norms {norms.mean:.4g}, standard deviation {norms.std:.2g}, from "
            f"{norms.smallest:.3g} to {norms.largest:.3g}; above half the mean: "
            f"{norms.phi_half:.4g} of all (weak superposition {self.weak_share:.3g}, strong 1)",
        ]
        for title, found in (("", self.overlaps), ("weighted ", self.weighted_overlaps)):
            for one in found.results if found else ():
                lines.append(
                    f"{title}mean squared overlap, {one.treatment}: {one.mean_square:.5g} = "
                    f"{one.mean_square * one.m:.4g}/{one.m} (least possible {one.welch:.3g})"
                )
        lines += [f"spectrum, {one}" for one in self.spectra]
        for cost in (*self.cross_entropies, *self.weighted_cross_entropies):
            lines.append(str(cost).split("\n")[0])
        return "\n".join([*lines, *(f"note: {caveat}" for caveat in self.caveats)])

    def __repr__(self) -> str:
        return str(self)


def _overlap_record(one: Overlaps) -> dict[str, Any]:
    return {**one.to_dict(), "pairs": one.pairs, "rows_of_zeros": int(one.rows_of_zeros.size)}


@check_kinds
def analyze(
    source: Any,
    *,
    tensor: str | None = None,
    transpose: bool = False,
    rows: slice | ArrayLike | None = None,
    counts: ArrayLike | None = None,
    remove: int | None = None,
    seed: int | np.random.Generator = 0,
    pairs: Literal["all", "sample", "none"] | None = None,
    samples: int = 2**18,
    tokens: int = 2048,
    name: str | None = None,
) -> UnembeddingReport:
    """Measure an unembedding: norms, overlaps, spectrum, and the cross entropy of the overlaps.

    Parameters
    ----------
    source : path, array_like, RowMatrix or Unembedding
        A file or address that ``open_unembedding`` takes; or a matrix, tokens in rows. It is read
        in blocks of rows: the memory does not grow with n m.
    tensor : str, optional
        Name of the tensor, for a file.
    transpose : bool
        Whether tokens are the columns of the matrix.
    rows : slice or array_like of int, optional
        Only these rows, as if the matrix had no others: slice(0, 50277) of a padded vocabulary.
    counts : array_like, shape (n,), optional
        How often each token occurs, by token id: adds weighted overlaps and cross entropy. Rows
        beyond the counts, as padding of the vocabulary adds, are left out of everything.
    remove : int, optional
        As in ``compare_treatments``: principal directions to remove (default m/100, at least 1).
    seed : int or Generator
        For what is sampled.
    pairs, samples
        As in ``overlaps``; all pairs up to 10 000 rows by default, a sample of them above. Mean
        and mean square are exact anyway.
    tokens : int
        As in ``estimate_cross_entropy``: number of those whose cross entropy is computed in full.
    name : str, optional
        Name in the report; by default that of the source.

    Returns
    -------
    UnembeddingReport
        Everything beside 1/m, random directions and the Welch bound.

    Raises
    ------
    ValueError
        As ``open_unembedding``; for entries that are not finite, counts that do not fit, an option
        out of range, or fewer than two rows with a direction.
    TypeError
        For a source, or entries, of another kind.

    Examples
    --------
    >>> W = np.random.default_rng(0).standard_normal((500, 50)) + 0.5
    >>> report = analyze(W, name="shifted")
    >>> [round(report[x].mean_square * 50, 2) for x in ("raw", "centred")]
    [2.96, 1.0]
    >>> report.norms.phi_half, report.weak_share
    (1.0, 0.1)
    """
    tokens, samples = check_integer("tokens", tokens, 2), check_integer("samples", samples, 2)
    found = _open(source, tensor, transpose)
    hint = suspect_columns(found.matrix.n, found.matrix.m, found.tensor, found.transposed)
    try:
        chosen = choose(found.matrix, rows, counts)
        matrix, weights = chosen.matrix, chosen.counts
        if pairs is None:
            pairs = choose_pairs(matrix.n)
        overlaps = compare_treatments(
            matrix, remove=remove, pairs=pairs, samples=samples, seed=seed
        )
        raw = overlaps.results[0]
        norms = np.zeros(matrix.n)
        norms[np.setdiff1d(np.arange(matrix.n), raw.rows_of_zeros)] = raw.norms
        untrained = find_untrained(matrix, norms)
        options = {"tokens": tokens, "seed": seed}
        weighted = None
        if weights is not None:
            weighted = compare_treatments(matrix, remove=remove, pairs="none", weights=weights)
        return UnembeddingReport(
            name=name or found.name,
            path=found.path,
            tensor=found.tensor,
            format=found.format,
            tied=found.tied,
            n=matrix.n,
            m=matrix.m,
            norms=summarise_norms(norms),
            overlaps=_strip(overlaps),
            spectra=_both(spectrum, matrix),
            cross_entropies=_both(estimate_cross_entropy, matrix, **options),
            weighted_overlaps=None if weighted is None else _strip(weighted),
            weighted_cross_entropies=()
            if weights is None
            else _both(estimate_cross_entropy, matrix, weights=weights, **options),
            rows_left_out=chosen.left_out,
            untrained_rows=untrained.size,
            notes=(
                *((hint,) if hint else ()),
                *chosen.notes,
                *describe_untrained(chosen.numbers[untrained]),
            ),
        )
    except ValueError as error:
        if found.path:
            raise ValueError(f"{found.path}: {error}") from None
        raise


def _open(source: Any, tensor: str | None, transpose: bool) -> Unembedding:
    if isinstance(source, (str, Path)):
        return open_unembedding(source, tensor, transpose=transpose)
    if tensor is not None:
        raise ValueError(f"tensor = {tensor!r} goes with a file: leave it out for a matrix")
    if not isinstance(source, Unembedding):
        matrix = as_rows(source, transpose)
        return Unembedding("matrix", "", "", matrix, False, "array", transpose)
    if not transpose:
        return source
    matrix = source.matrix.transposed()
    return replace(source, matrix=matrix, transposed=not source.transposed)


def _both(measure: Any, matrix: RowMatrix, **options: Any) -> tuple[Any, ...]:
    """Measure raw and, where rows are left, centred."""
    results = [measure(matrix, center=False, **options)]
    with suppress(TooFewRowsError):  # compare_treatments has recorded it
        results.append(measure(matrix, center=True, **options))
    return tuple(results)


def _strip(found: Treatments) -> Treatments:
    """Leave out the norms, which are as long as the vocabulary."""
    none = read_only(np.empty(0))
    return replace(found, results=tuple(replace(one, norms=none) for one in found.results))
