import csv
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

import numerics.packings.search as module
from numerics.packings.deadline import Deadline
from numerics.packings.descent import descend
from numerics.packings.energies import p_frame, relu_energy, soft_maximum
from numerics.packings.interior_point import largest_overlap, polish
from numerics.packings.kernels import descend_soft_maximum
from numerics.packings.packing import Packing
from numerics.packings.search import pack
from numerics.packings.symmetric import SymmetricSearch
from theory.activation import Activation
from theory.bounds.certificates import PowerPotential, ReluPotential
from theory.bounds.linear_programming import certify_energy
from theory.bounds.packing_bounds import bounds, frame_potential
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.one_active import interference_loss

TABLE = Path(__file__).parents[2] / "data" / "real_lines.csv"


def known(n, m):
    with TABLE.open() as file:
        for row in csv.DictReader(file):
            if (int(row["n"]), int(row["m"])) == (n, m):
                return float(row["coherence"])
    raise KeyError((n, m))


def random_vectors(n, m, seed):
    U = np.random.default_rng(seed).standard_normal((n, m))
    return U / np.linalg.norm(U, axis=1, keepdims=True)


# ---- energies -------------------------------------------------------------------------------


def plain_soft_maximum(U, p, lines):
    t = (U @ U.T)[np.triu_indices(len(U), 1)]
    return np.log(np.sum(np.exp(p * (np.abs(t) if lines else t)))) / p


def plain_relu(U, r, b, p):
    G = np.outer(r, r) * (U @ U.T)
    pairs = [(i, j) for i in range(len(U)) for j in range(len(U)) if i != j]
    return sum(p[j] * float(interference_loss(G[i, j], b[i])) for i, j in pairs)


@pytest.mark.parametrize("n", [12, 210])  # by pairs, and by products of matrices
@pytest.mark.parametrize("lines", [True, False])
def test_soft_maximum_written_out(n, lines):
    U = random_vectors(n, 4, n)
    for p in (5.0, 80.0):
        value, _ = soft_maximum(U, p, lines)
        assert value == pytest.approx(plain_soft_maximum(U, p, lines), rel=1e-12)
        largest = largest_overlap(U, lines)
        assert largest <= value <= largest + np.log(n * (n - 1) / 2) / p


def test_energies_written_out():
    U = random_vectors(9, 3, 0)
    t = (U @ U.T)[~np.eye(9, dtype=bool)]
    assert p_frame(U, 3.0)[0] == pytest.approx(np.sum(np.abs(t) ** 3))
    rng = np.random.default_rng(1)
    r, b, p = rng.uniform(0.5, 1.5, 9), rng.normal(-0.2, 0.3, 9), rng.random(9)
    assert relu_energy(U, r, b, p)[0] == pytest.approx(plain_relu(U, r, b, p), rel=1e-12)
    # Equal norms, biases and frequencies: the pair energy that is certified.
    equal = relu_energy(U, np.full(9, 0.9), np.full(9, -0.1), np.ones(9))[0]
    assert equal == pytest.approx(ReluPotential(0.81, -0.1)(t).sum(), rel=1e-12)


@pytest.mark.parametrize("n", [7, 205])
def test_slopes_against_differences(n):
    U, rng = random_vectors(n, 3, 2), np.random.default_rng(3)
    r, b, p = rng.uniform(0.5, 1.5, n), rng.normal(-0.2, 0.3, n), rng.random(n)
    direction = rng.standard_normal(U.shape)
    for energy in (
        lambda V: soft_maximum(V, 12.0, True),
        lambda V: soft_maximum(V, 12.0, False),
        lambda V: p_frame(V, 2.0),
        lambda V: p_frame(V, 3.5),
        lambda V: relu_energy(V, r, b, p),
        lambda V: relu_energy(V, r, -np.abs(b), p),  # the way without a branch
    ):
        slope = float(np.sum(energy(U)[1] * direction))
        h = 1e-5
        found = (energy(U + h * direction)[0] - energy(U - h * direction)[0]) / (2 * h)
        assert found == pytest.approx(slope, rel=1e-5, abs=1e-7)


# ---- polish ---------------------------------------------------------------------------------


@given(st.integers(3, 10), st.integers(2, 4), st.integers(0, 10**6), st.booleans())
def test_polish_never_makes_it_worse(n, m, seed, lines):
    U = random_vectors(n, m, seed)
    better = polish(U, lines, rounds=5)
    assert largest_overlap(better, lines) <= largest_overlap(U, lines)
    assert np.linalg.norm(better, axis=1) == pytest.approx(np.ones(n))


def test_polish_reaches_machine_precision_from_a_rough_packing():
    rough = pack(6, 3).vectors + 0.003 * np.random.default_rng(0).standard_normal((6, 3))
    fine = polish(rough, lines=True)
    assert largest_overlap(fine, True) == pytest.approx(1 / np.sqrt(5), abs=1e-14)


# ---- search ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(8, 3), (16, 3), (10, 4), (12, 5), (16, 5), (24, 6), (14, 6)])
def test_best_known_lines_are_found_without_construction(n, m):
    found = pack(n, m, seed=n, seconds=60, target=known(n, m) + 2e-10, explicit=False)
    assert abs(found.coherence - known(n, m)) < 1e-9
    assert found.value == pytest.approx(found.coherence, abs=1e-15)
    assert found.gap >= 0 and found.bound.value <= found.coherence + 1e-12


@pytest.mark.parametrize(
    ("n", "m", "cosine"), [(12, 3, 1 / np.sqrt(5)), (10, 4, 1 / 6), (16, 5, 1 / 5), (24, 4, 1 / 2)]
)
def test_known_codes(n, m, cosine):
    found = pack(n, m, "cosine", seed=1, target=cosine + 1e-10)
    assert found.cosine == pytest.approx(cosine, abs=1e-9)
    assert found.cosine < found.coherence or n == 16


def test_frames_and_energies_reach_their_bounds():
    tight = pack(20, 6, "frame_potential", starts=1)
    assert tight.value == pytest.approx(float(frame_potential(20, 6)) - 20, rel=1e-10)
    quartic = pack(28, 7, "p_frame", p=4, starts=3)
    bound = float(certify_energy(28, 7, PowerPotential(4)).value)
    assert bound - 1e-6 <= quartic.value <= bound * 1.02
    f = Frequencies.power_law(40, 0.0)
    relu = pack(40, 8, "relu_energy", features=f, r=1.0, b=-0.2, starts=3)
    bound = float(certify_energy(40, 8, ReluPotential(1, -0.2)).value) / 40
    loose = relu_energy(random_vectors(40, 8, 0), np.ones(40), np.full(40, -0.2), f.p)[0]
    assert 0 < bound <= relu.value < 0.8 * loose


def test_explicit_codes():
    for n, m in ((4, 6), (5, 4), (6, 4), (8, 4)):
        code = pack(n, m, "cosine")
        assert code.cosine == pytest.approx(bounds(n, m, "code", 0).best.value, abs=1e-14)
        assert code.exact in ("-1/3", "-1/4", "0")
        assert np.linalg.norm(code.vectors, axis=1) == pytest.approx(np.ones(n))


def test_same_seed_same_packing():
    one, two = (pack(9, 3, seed=5, starts=2, explicit=False) for _ in range(2))
    assert np.array_equal(one.vectors, two.vectors)
    other = pack(9, 3, seed=6, starts=1, explicit=False)
    assert not np.array_equal(one.vectors, other.vectors)


@given(st.integers(2, 5), st.integers(3, 9), st.integers(0, 1000))
def test_no_packing_beats_a_bound_and_rotation_changes_nothing(m, n, seed):
    found = pack(n, m, seed=seed, starts=1)
    assert found.coherence >= bounds(n, m, degree=0).best.value - 1e-12
    turned = Packing(found.vectors @ ortho_group.rvs(m, random_state=seed), "coherence", 0, "")
    flipped = Packing(-found.vectors[::-1], "coherence", 0, "")
    for other in (turned, flipped):
        assert other.coherence == pytest.approx(found.coherence, abs=1e-12)


def test_ctrl_c_keeps_the_best_so_far(monkeypatch):
    real, calls = module.BasinHopping.step, []

    def step(walk):
        calls.append(walk)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(walk)

    monkeypatch.setattr(module.BasinHopping, "step", step)
    found = pack(9, 4, explicit=False)
    assert found.interrupted and found.method == "2 starts"
    calls.clear()
    monkeypatch.setattr(
        module.BasinHopping, "step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        pack(9, 4, explicit=False)


def test_progress_and_time():
    seen = []
    pack(9, 4, starts=3, explicit=False, progress=lambda k, best: seen.append((k, best)))
    assert [k for k, _ in seen] == [1, 2, 3]
    assert all(a >= b for (_, a), (_, b) in pairwise(seen))
    f = Frequencies.power_law(9, 1.0)
    for objective in ("coherence", "cosine", "frame_potential", "p_frame", "relu_energy"):
        found = pack(9, 4, objective, seconds=0, explicit=False, features=f)
        assert found.method == "1 starts" and np.isfinite(found.value)


def test_a_deadline_ends_every_stage():
    U = random_vectors(12, 4, 0)
    with Deadline(0.0) as deadline:
        assert deadline.passed and deadline.left == 0
        assert polish(U, True, deadline=deadline) == pytest.approx(U, abs=1e-15)
        assert descend(U, lambda V: p_frame(V, 4.0), 50, deadline) == pytest.approx(U, abs=1e-15)
        V, _ = descend_soft_maximum(U, 50.0, True, 50, 1e-6, deadline.flag)
        assert pytest.approx(U, abs=1e-15) == V
        assert SymmetricSearch(12, 4, True, np.random.default_rng(0), deadline).draw() is None
    with Deadline(1e-3) as deadline:
        descend_soft_maximum(U, 50.0, True, 10**9, -1.0, deadline.flag)  # until the timer ends it
        assert deadline.passed
    with Deadline() as deadline:
        assert not deadline.passed and deadline.left == np.inf


def test_many_vectors_are_a_random_start_where_time_is_too_short():
    found = pack(1200, 3, "p_frame", seconds=1e-9)
    assert found.value == pytest.approx(p_frame(found.vectors, 4.0)[0])
    lines = pack(1200, 3, seconds=1e-9)
    assert lines.value == pytest.approx(lines.coherence, abs=1e-14)


def test_a_search_holds_blas_to_one_thread():
    def threads():
        pools = threadpoolctl.threadpool_info()
        return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}

    seen = []
    with threadpoolctl.threadpool_limits(2):
        pack(9, 4, starts=2, explicit=False, progress=lambda *_: seen.append(threads()))
        assert threads() == {2}
    assert seen == [{1}, {1}]


@pytest.mark.parametrize("objective", ["coherence", "p_frame"])
def test_sizes_beyond_memory_are_refused(objective):
    with pytest.raises(ValueError, match=r"needs about .* GiB of memory and this machine has"):
        pack(10**6, 1000, objective, seconds=1)
    with pytest.raises(ValueError, match=r"n = 300000, m = 100 needs about 3\.3.e\+03 GiB"):
        pack(300_000, 100, objective)


# ---- the result -----------------------------------------------------------------------------


def test_what_a_packing_says():
    icosahedron = pack(6, 3)
    assert icosahedron.tight_pairs == 15 and icosahedron.is_rigid and icosahedron.gap < 1e-12
    assert icosahedron.angles == pytest.approx([1 / np.sqrt(5)])
    table = pack(36, 6).to_dataframe()
    assert table["overlap"].tolist() == pytest.approx([0, 0.5])
    assert table["pairs"].sum() == 36 * 35 / 2
    loose = Packing(random_vectors(6, 3, 0), "coherence", 0.0, "random")
    assert loose.tight_pairs == 1 and not loose.is_rigid and loose.gap > 0.1
    assert len(loose.to_dataframe()) == 15
    assert repr(icosahedron) == str(icosahedron) and "<table" in icosahedron._repr_html_()
    assert max(map(len, str(icosahedron).splitlines())) <= 120
    assert "bound 0.4472135955" in str(icosahedron) and "sqrt(5)/5" in str(icosahedron)


@pytest.mark.parametrize("vectors", [np.ones(3), np.ones((1, 3)), [[1.0, 0.0], [np.nan, 1.0]]])
def test_what_is_no_packing(vectors):
    with pytest.raises(ValueError, match=r"vectors of shape .* are no packing"):
        Packing(vectors, "coherence", 0.0, "")


def test_pictures():
    from matplotlib.figure import Figure

    found = pack(7, 3, starts=1)
    assert found.plot(Figure().add_subplot()).get_xlabel() == "overlap t = u·v"
    assert found.plot_gram(Figure().add_subplot()).images


def test_files(tmp_path):
    found = pack(7, 3, starts=2, seed=3)
    found.save(tmp_path / "x.npz")
    again = Packing.load(tmp_path / "x.npz")
    assert np.array_equal(again.vectors, found.vectors)
    assert (again.objective, again.value, again.method) == ("coherence", found.value, found.method)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.npz"]
    for name, message in [("x.txt", r"ends in \.npz"), ("no/x.npz", "no does not exist")]:
        with pytest.raises(ValueError, match=message):
            found.save(tmp_path / name)
    (tmp_path / "bad.npz").write_bytes(b"PK not really")
    for name in ("bad.npz", "missing.npz"):
        with pytest.raises(ValueError, match="no packing that can be read"):
            Packing.load(tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 1}, "n = 1"),
        ({"m": 1}, "m = 1"),
        ({"starts": 0}, "starts = 0"),
        ({"seconds": -1}, "seconds = -1"),
        ({"objective": "area"}, "objective = 'area'"),
        ({"objective": "p_frame", "p": 1.0}, "p = 1"),
        ({"objective": "p_frame", "p": 1e6}, "p = 1000000"),
        (
            {
                "objective": "relu_energy",
                "features": Features(Frequencies.power_law(9, 1.0), importance=np.arange(9)),
            },
            "equal importances and v ~ U",
        ),
        (
            {
                "objective": "relu_energy",
                "features": Features(Frequencies.power_law(9, 1.0), Activation(0.5, 1.0)),
            },
            "equal importances and v ~ U",
        ),
        ({"objective": "relu_energy"}, "needs the frequencies of n = 9"),
        ({"objective": "relu_energy", "features": Frequencies.power_law(8, 1.0)}, "n = 9"),
        (
            {"objective": "relu_energy", "features": Frequencies.power_law(9, 1.0), "r": 0},
            "r = 0",
        ),
        (
            {"objective": "relu_energy", "features": Frequencies.power_law(9, 1.0), "b": [1, 2]},
            "b has 2 entries",
        ),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        pack(**({"n": 9, "m": 4} | arguments))


def test_bad_kinds_of_input():
    for arguments, message in (
        ({"objective": "relu_energy", "features": [0.1] * 9}, "neither a Features"),
        ({"progress": 3}, "progress = 3 is not allowed: give a function or None"),
    ):
        with pytest.raises(TypeError, match=message):
            pack(9, 4, **arguments)


def test_descent_lowers():
    U = random_vectors(12, 4, 9)
    lower = descend(U, lambda V: p_frame(V, 6.0), 50)
    assert p_frame(lower, 6.0)[0] < p_frame(U, 6.0)[0]


BUSY = """
import sys
import numpy as np
a = np.ones((900, 900))
print("busy", flush=True)
while True:
    a = a @ a * 1e-3 + 1
"""


def test_a_busy_machine_costs_starts_and_nothing_else():
    # A process that multiplies matrices on every core beside us. What a number of starts finds does
    # not depend on it, and a budget of time is kept: one start less in proportion, not a storm of
    # threads in which one start takes the time of hundreds.
    alone = pack(14, 12, starts=3, explicit=False, seed=0)
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")
    }
    busy = subprocess.Popen(
        [sys.executable, "-c", BUSY], stdout=subprocess.PIPE, env=environment, text=True
    )
    try:
        assert busy.stdout.readline() == "busy\n"
        again = pack(14, 12, starts=3, explicit=False, seed=0)
        starts = []
        pack(14, 12, seconds=2, explicit=False, seed=0, progress=lambda k, _: starts.append(k))
    finally:
        busy.kill()
        busy.wait()
    assert np.array_equal(alone.vectors, again.vectors)
    # Alone it does some thousand on one core; in a storm of threads it did one.
    assert starts[-1] >= 20
