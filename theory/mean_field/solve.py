r"""The loss of strong superposition at one width: ``solve_mean_field``.

The expected loss under independent overlaps (theory/mean_field/interference/expected_loss.py) is
minimised over norms r_g, biases b_g and displacements D of the overlap laws, within what the
geometry of R^m allows (theory/mean_field/interference/overlap_laws.py):

    L(m) = min over r, b, D of Σ_i I_i ⟨(y_i - x_i)²⟩,   budgets <= 1,   B^(k) ⪰ 0,   |t| <= √m.

No constant is fitted. Features whose loss would be larger live than lost are lost
(I_i (⟨v²⟩ p_i - ⟨v⟩² p_i²) each); their number is found first, on merged groups
(theory/mean_field/live_features.py). If antipodal pairs (theory/mean_field/antipodal.py) lose less,
which happens at n < 3m, they are the result: no smooth overlap law describes them. A minimum is
compared with points that are known to keep the constraints (theory/mean_field/upper_bounds.py): one
above them is not returned. With
``optimised=False`` overlaps are Gaussian with the Welch variance, as in an isotropic frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from theory.checks import Sampling, check_integer
from theory.computing.argument_kinds import check_kinds
from theory.computing.one_thread import one_thread
from theory.estimate import choose_sampling
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.mean_field.antipodal import antipodal_loss, orthogonal_loss
from theory.mean_field.evaluation import report_axes, report_minimum
from theory.mean_field.groups import group_features, merge_groups, rank_features
from theory.mean_field.live_features import EQUAL_LOSSES, search_live
from theory.mean_field.prolongation import prolong
from theory.mean_field.solution import MeanField
from theory.mean_field.solver.method_of_multipliers import minimise
from theory.mean_field.solver.options import DEFAULTS, SolverOptions
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import ConvergenceError
from theory.mean_field.upper_bounds import check_below, frame_bounds, minimise_below

__all__ = ["ConvergenceError", "solve_mean_field"]
# Share of the loss above which its numerical uncertainty is an error.
_LARGEST_UNCERTAINTY = 0.5


@check_kinds
def solve_mean_field(
    features: Features | Frequencies,
    m: int,
    *,
    groups: int | None = None,
    sampling: Sampling = "bernoulli",
    optimised: bool = True,
    antipodal: bool = True,
    options: SolverOptions | None = None,
    progress: Callable[[int], None] | None = None,
) -> MeanField:
    """Minimise the mean-field loss at one width.

    Parameters
    ----------
    features : Features or Frequencies
        Frequencies, the law of v and importances.
    m : int
        Width, 2 <= m <= n.
    groups : int, optional
        Number of groups of features that share norms, biases and overlap laws (see
        ``group_features``); the loss is that of four parts of each, interpolated.
    sampling : {"bernoulli", "one_hot"}
        Each feature active independently, or exactly one at a time (E <= 1).
    optimised : bool
        Whether overlaps are optimised; if not they are Gaussian with the Welch variance.
    antipodal : bool
        Whether features are kept in antipodal pairs where that loses less; never without
        ``optimised``.
    options : SolverOptions, optional
        Tolerances and iteration limits.
    progress : callable, optional
        Called as progress(rounds) after each round of the solver, their number so far: usually 10
        to 30 in the end.

    Returns
    -------
    MeanField
        Loss, parts, norms, biases, overlap laws and how well the constraints hold.

    Raises
    ------
    TypeError
        If ``features`` is neither, or m or groups is not a whole number.
    ValueError
        For a single feature, a width outside 2..n, groups below 1, E > 1 with
        ``sampling="one_hot"``, or features that depend on each other, except for one exclusive
        set of all of them.
    ConvergenceError
        If the minimum is not found; the message says what to try.

    Examples
    --------
    >>> found = solve_mean_field(Frequencies.power_law(100, alpha=0.0), m=20)
    >>> found.live, 0.05 < found.loss < 0.2
    (100, True)
    """
    features = as_features(features)
    if features.n < 2:
        raise ValueError("n = 1: a single feature has no overlaps; give at least two")
    m = check_integer("m", m, 2, features.n)
    if groups is not None:
        groups = min(check_integer("groups", groups), features.n)
    sampling = choose_sampling(features, sampling)
    one_hot = sampling == "one_hot"
    ranked = rank_features(features)
    with one_thread():
        like = Problem(
            group_features(ranked, 1),
            float(m),
            ranked.activation,
            one_hot,
            optimised,
            options or DEFAULTS,
            None if progress is None else _count_rounds(progress),
        )
        live, coarse, start = search_live(ranked, m, groups, like)
        problem = replace(like, groups=group_features(ranked, groups, live))
        parent = merge_groups(problem.groups)[1]
        point, multipliers = prolong(coarse, start, problem, parent)
        near = start._replace(point=point, multipliers=multipliers)
        if not optimised:
            return report_minimum(ranked, problem, minimise(problem, near))
        bounds = frame_bounds(ranked, problem, groups)
        problem, found = minimise_below(ranked, problem, near, bounds)
        smooth = report_minimum(ranked, problem, found)
        check_below(problem, smooth.loss / ranked.loss_unit, bounds[0].total, "an isotropic frame")
        axes = antipodal_loss(features, m, sampling) if antipodal else orthogonal_loss(features, m)
        floor = ranked.loss_unit * problem.loss_floor
        if axes.loss < (1 - EQUAL_LOSSES) * smooth.loss - floor:
            return report_axes(axes, features, m, groups, sampling)
        if smooth.uncertainty > _LARGEST_UNCERTAINTY * smooth.loss + floor:
            raise ConvergenceError(
                f"the loss at m = {m} with {problem.groups.count} groups is only known to "
                f"{smooth.loss:.3g} ± {smooth.uncertainty:.1g}: try another number of groups"
            )
        return smooth


def _count_rounds(progress: Callable[[int], None]) -> Callable[[], None]:
    rounds = itertools.count(1)
    return lambda: progress(next(rounds))
