"""Every constant of the solver, with its reason: ``SolverOptions``."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SolverOptions:
    """Tolerances, iteration limits and bounds of the method of multipliers.

    The values are empirical: the solver converges with them, at an error below that of grouping, on
    cells of n = 60 … 3000, n/m = 1.1 … 100, alpha = 0 … 2.5. Losses are compared with
    max(loss, floor), floor = ``loss_floor`` times the loss of learning nothing.

    Attributes
    ----------
    overlap_nodes : int
        Gauss nodes of each overlap law: with 11 the loss was within 0.3 % of that with 25.
    overlap_nodes_single : int
        The same for a single group, which can afford the 25.
    overlap_limit : float
        Bound on |t|, if √m is larger: random directions do not reach 5.5 standard deviations among
        fewer than 10^7 pairs.
    norm_bounds, bias_bounds : tuple of float
        Bounds on r and b. Live features lie inside (r near 1, -b below the input's largest value);
        a group at the lower ends is dead.
    initial_shrinkage : float
        Share of the optimal shrinkage of overlaps that the start takes: at t = 0 the constraints
        have no gradient.
    frozen_rounds : int
        First rounds with all norms 1: rare groups would die while overlaps are still random.
    frozen_iterations, iterations : int
        L-BFGS iterations of a round, while norms are frozen and after.
    relative_decrease : float
        Relative decrease of the augmented Lagrangian that ends a round.
    late_round, late_factor : int, float
        From this round on multipliers are nearly right, and rounds are longer by this factor.
    rounds : int
        Rounds before the solver gives up: 3 to 8 do for most cells, steep ones (alpha = 2.5) or
        widths near n take all.
    memory : int
        Pairs of vectors that L-BFGS keeps: the constraints make valleys narrow.
    penalty_limit : float
        Largest penalty, over the loss (times ``penalty_growth``'s factor): beyond 10 the augmented
        Lagrangian is too ill-conditioned for L-BFGS.
    penalty_factor, slow_decrease : float
        The penalty is multiplied by the first if a round leaves more than the second of the
        violation.
    scale_factor, no_decrease : float
        The largest penalty is multiplied by the first if a round leaves more than the second of the
        violation, and divided by it where constraints hold.
    multiplier_shrinkage : float
        Factor on all multipliers where constraints hold and Σ |multiplier × constraint| still
        exceeds the loss: updates by the penalty would reduce them slowly.
    violation : float
        Tolerance of the constraints (shares of a budget, eigenvalues of order 1).
    change : float
        Tolerance of the last relative change of the Lagrangian.
    decrement : float
        Tolerance of the gain of one more Newton step, relative to the loss.
    multiplier_change : float
        Tolerance of the last change of the multipliers, over their sum: derivatives of the minimum
        depend on them to first order.
    complementarity : float
        Largest Σ |multiplier × constraint| over the loss at the end.
    stalled_rounds, stalled : int, float
        Or: all constraints hold and these last rounds have changed the loss by less than this.
    looseness : float
        Factor on the tolerances above; 3 in the coarse search.
    accept_after, accept : int, float
        The coarse search accepts what it has after so many rounds, if violation, last change and
        residual are below the second; the full solver never does.
    accept_unsettled : bool
        Whether reaching ``rounds`` is no error.
    decision_change : float
        Last relative change of the loss from which ``decided`` is asked.
    quadrature_change : float
        Relative change of the loss at the next level of quadrature above which that level is used.
    finest_level : int
        Finest level that is minimised at; one more is kept for the error of the result.
    loss_floor : float
        Share of the loss of learning nothing below which a loss counts as 0.
    """

    overlap_nodes: int = 11
    overlap_nodes_single: int = 25
    overlap_limit: float = 5.5
    norm_bounds: tuple[float, float] = (0.7, 1.5)
    bias_bounds: tuple[float, float] = (-2.4, 1.0)
    initial_shrinkage: float = 0.8
    frozen_rounds: int = 3
    frozen_iterations: int = 50
    iterations: int = 100
    relative_decrease: float = 1e-11
    late_round: int = 8
    late_factor: float = 2.5
    rounds: int = 60
    memory: int = 40
    penalty_limit: float = 10.0
    penalty_factor: float = 3.0
    slow_decrease: float = 0.3
    scale_factor: float = 10.0
    no_decrease: float = 0.9
    multiplier_shrinkage: float = 0.1
    violation: float = 1e-3
    change: float = 2e-4
    decrement: float = 1e-4
    multiplier_change: float = 0.02
    complementarity: float = 2e-2
    stalled_rounds: int = 4
    stalled: float = 3e-3
    looseness: float = 1.0
    accept_after: int | None = None
    accept: float = 1e-2
    accept_unsettled: bool = False
    decision_change: float = 0.1
    quadrature_change: float = 3e-3
    finest_level: int = 3
    loss_floor: float = 1e-6

    def coarse(self) -> SolverOptions:
        """Return the options of the search for the number of live features: a few per cent do."""
        return replace(
            self,
            overlap_nodes=7,
            frozen_iterations=30,
            iterations=60,
            relative_decrease=1e-8,
            rounds=min(self.rounds, 20),
            looseness=3.0,
            accept_after=6,
            accept_unsettled=True,
            quadrature_change=1e-2,
            finest_level=2,
        )

    def for_single_group(self) -> SolverOptions:
        """Return the options for one group, whose rounds are cheap: never shortened ones."""
        return replace(
            self,
            overlap_nodes=self.overlap_nodes_single,
            frozen_iterations=DEFAULTS.frozen_iterations,
            iterations=DEFAULTS.iterations,
            relative_decrease=DEFAULTS.relative_decrease,
        )


DEFAULTS = SolverOptions()
