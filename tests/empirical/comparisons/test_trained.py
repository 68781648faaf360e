import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import empirical.comparisons.trained as module
import empirical.sweeps.engine as engine
import empirical.sweeps.store as store_module
from empirical.comparisons.comparison import ComparisonRow
from empirical.comparisons.finding import describe_finding
from empirical.comparisons.trained import InterruptedComparison, compare
from empirical.sweeps.sweep import sweep
from empirical.training.diagnostics import measure
from empirical.training.recipes import RECIPES
from empirical.training.settings import make_settings
from empirical.training.train import DivergenceError, train
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_loss

F = Frequencies.power_law(60, 1.5)
QUICK = {"batch": 16, "steps": 60, "evaluation_samples": 500}
# Formulas: a test that is not about what is solved for names its theories.
FORMULAS = ("weak", "equiangular", "strong_even", "strong_skewed")


@pytest.fixture(scope="module", autouse=True)
def one_core():
    """Train in this process unless a test says otherwise, where it can be watched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "count_cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def comparison(one_core):
    return compare(F, [6, 12, 24], seeds=2, theory=FORMULAS, weight_decay=0.5, **QUICK)


def test_rows_hold_predictions_and_measurements(comparison):
    assert [row.m for row in comparison.rows] == [6, 12, 24]
    assert len(comparison.runs) == 6 and not comparison.failures
    for row in comparison.rows:
        losses = [run.loss for run in comparison.runs if run.model.m == row.m]
        assert row.seeds == (0, 1)
        assert row.predicted["weak"] == pytest.approx(float(weak_loss(F, row.m)))
        assert row.measured == pytest.approx(np.mean(losses))
        assert row.stderr == pytest.approx(np.std(losses, ddof=1) / math.sqrt(2))
        assert row.ratio("weak") == pytest.approx(row.measured / row.predicted["weak"])
    assert "equiangular" not in comparison.rows[0].predicted  # 60 > 6 · 7/2


def test_details_are_means_over_the_seeds(comparison):
    for row in comparison.rows:
        found = [measure(run.model, F) for run in comparison.runs if run.model.m == row.m]
        for name in ("phi_half", "dead_fraction", "lost_rows_loss", "lost_ranks_loss"):
            assert row.details[name] == pytest.approx(np.mean([getattr(x, name) for x in found]))
    # With random bias starts rows and ranks differ, and so do the seeds.
    c = compare(F, 6, seeds=2, weight_decay=0.5, **QUICK | {"steps": 2000, "bias_start": "normal"})
    details = c.rows[0].details
    assert 0 < details["phi_half"] < 1
    assert details["lost_rows_loss"] > 1.01 * details["lost_ranks_loss"]


def test_the_law_of_v_reaches_every_part():
    shown = Features(F, Activation(0.0, 1.0))
    c = compare(shown, [12], seeds=1, weight_decay=0.5, **QUICK)
    (row,), (run,) = c.rows, c.runs
    assert run.features == shown and c.theories == ("weak",)
    assert row.predicted["weak"] == pytest.approx(float(weak_loss(shown, 12)))
    found = measure(run.model, shown)
    assert row.details["lost_rows_loss"] == pytest.approx(found.lost_rows_loss)
    assert row.details["dead_fraction"] == found.dead_fraction


def test_importances_reach_theory_training_and_diagnostics():
    shown = Features(F, importance=np.linspace(2, 0.5, 60))
    c = compare(shown, [12], seeds=1, weight_decay=0.5, theory="weak", **QUICK)
    (row,), (run,) = c.rows, c.runs
    assert run.loss == row.measured == train(shown, 12, weight_decay=0.5, **QUICK).loss
    assert row.predicted["weak"] == pytest.approx(float(weak_loss(shown, 12)))
    assert row.predicted["weak"] != pytest.approx(float(weak_loss(F, 12)), rel=0.05)
    found = measure(run.model, shown)
    assert row.details["lost_rows_loss"] == pytest.approx(found.lost_rows_loss)


def test_recipes():
    quick = {"seeds": 1, "theory": "weak", "evaluation_samples": 10}
    run = compare(F, [6], steps=10, **quick)
    assert run.settings["recipe"] == "fast"
    assert run.settings["batch"] == RECIPES["fast"]["batch"]
    run = compare(F, [6], steps=2, recipe="paper", **quick)
    expected = make_settings(recipe="paper", steps=2, evaluation_samples=10)
    for name in ("recipe", "batch", "late_batch", "bias_start", "learning_rate"):
        assert run.settings[name] == expected[name]
    with pytest.raises(ValueError, match="recipe = 'best' is not allowed"):
        compare(F, [6], recipe="best")


def replace_training(monkeypatch, function):
    """Let ``function(cell)`` decide what happens before a cell is trained."""
    plain = store_module.train_by

    def training(features, m, settings):
        function(m, settings.seed)
        return plain(features, m, settings)

    monkeypatch.setattr(store_module, "train_by", training)


def test_one_thread_each_and_the_callers_setting_back(monkeypatch):
    seen = []
    replace_training(monkeypatch, lambda m, seed: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        compare(F, 6, seeds=1, theory="weak", backend="torch", **QUICK)
        assert seen == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_runs_are_those_of_train(comparison):
    alone = train(F, 12, recipe="fast", seed=1, weight_decay=0.5, **QUICK)
    twin = next(r for r in comparison.runs if (r.model.m, r.settings.seed) == (12, 1))
    assert twin.model.W == pytest.approx(alone.model.W, abs=1e-5)


def test_exponents(comparison):
    fits = comparison.exponents["weight_decay = 0.5"]
    assert set(fits) == {"weak", "equiangular", "strong_even", "strong_skewed", "measured"}
    points = np.array([[run.model.m, run.loss] for run in comparison.runs])
    slope, covariance = np.polyfit(*np.log(points).T, 1, cov=True)
    assert fits["measured"].value == pytest.approx(-slope[0])
    assert fits["measured"].stderr == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-6)


def test_settings_repeat_the_comparison(comparison):
    s = comparison.to_dict()["settings"]
    made = {"frequencies": s.pop("frequencies"), "activation": s.pop("activation")}
    assert made == Features(F).describe()
    again = compare(Features.from_description(made, F.p), s.pop("m"), s.pop("seeds"), **s)
    assert [row.measured for row in again.rows] == [row.measured for row in comparison.rows]


def test_workers_and_executors_give_the_same(monkeypatch, comparison):
    monkeypatch.setattr(engine, "start_processes", ThreadPoolExecutor)  # sweep's tests have others
    with ThreadPoolExecutor(2) as pool:
        for given in ({"workers": 2}, {"executor": pool}):
            parallel = compare(F, [6, 12, 24], seeds=2, weight_decay=0.5, **given, **QUICK)
            assert [r.measured for r in parallel.rows] == [r.measured for r in comparison.rows]


def test_what_a_sweep_trained_is_found_in_its_store(monkeypatch, tmp_path):
    grid = {"m": [6, 12], "n": 60, "alpha": 1.5, "weight_decay": 0.5, "seed": [0, 1]}
    swept = sweep(grid, store=tmp_path, workers=1, **QUICK)
    monkeypatch.setattr(store_module, "train_by", None)  # would fail if called
    c = compare(F, [6, 12], seeds=2, weight_decay=0.5, store=tmp_path, **QUICK)
    losses = swept.to_dataframe().groupby("m")["loss"].mean()
    assert [row.measured for row in c.rows] == pytest.approx(losses.tolist(), rel=1e-12)


def test_values_for_people_and_machines(comparison):
    frame = comparison.to_dataframe()
    assert {"m", "weak", "measured", "stderr", "seeds", "measured/weak", "phi_half"} <= set(frame)
    record = comparison.to_dict()
    assert set(record) == {"quantity", "rows", "exponents", "settings", "finding"}
    assert set(record["rows"][0]) >= {"m", "predicted", "measured", "stderr", "seeds"}
    assert set(record["exponents"]["measured"]) == {"value", "stderr"}
    assert record["exponents"]["strong_even"] == {"value": 1.0, "stderr": None}
    import json

    json.dumps(record, allow_nan=False)
    header = str(comparison).splitlines()[0].split()
    assert {"m", "weak", "measured", "stderr", "measured/weak"} <= set(header)
    assert "<table" in comparison._repr_html_()


def labels_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_picture(comparison):
    from matplotlib.figure import Figure

    axes = comparison.plot(Figure().add_subplot())
    labels = labels_of(axes)
    assert {"weak", "equiangular", "trained, 2 seeds"} <= set(labels)
    assert any("published, skewed" in label and "height fitted" in label for label in labels)
    assert len(labels) == len(set(labels)) == 5
    # The points have error bars: a mean and a standard error each.
    (bars,) = axes.containers
    lines = bars.lines[2][0].get_segments()
    for row, (low, high) in zip(comparison.rows, lines, strict=True):
        assert (low[1] + high[1]) / 2 == pytest.approx(row.measured)
        assert (high[1] - low[1]) / 2 == pytest.approx(row.stderr)


def test_the_fitted_height_goes_through_the_middle_of_the_points(comparison):
    from matplotlib.figure import Figure

    axes = comparison.plot(Figure().add_subplot())
    line = next(x for x in axes.lines if "published, even" in str(x.get_label()))
    x, y = (np.log(np.asarray(data, dtype=float)) for data in line.get_data())
    m, measured = np.log([[row.m, row.measured] for row in comparison.rows]).T
    assert np.polyfit(x, y, 1)[0] == pytest.approx(-1)
    assert np.mean(y) + np.mean(x) == pytest.approx(np.mean(measured) + np.mean(m))


def test_the_solved_theory_comes_first_with_its_band():
    from matplotlib.figure import Figure

    c = compare(Frequencies.power_law(40, 0.0), [12, 16], seeds=2, **QUICK)
    assert c.theories[0] == "mean_field" and all("mean_field" in row.predicted for row in c.rows)
    prediction = c.predictions["weight_decay = -1"]
    assert [row.predicted["mean_field"] for row in c.rows] == list(prediction.loss["mean_field"])
    assert (
        c.finding == c.to_dict()["finding"] and c.finding in str(c) and c.finding in c._repr_html_()
    )
    axes = c.plot(Figure().add_subplot())
    labels = labels_of(axes)
    assert labels[1] == "mean field" and "7.5 %: 90 % of 42 checks" in labels[0]
    (band,) = axes.collections[:1]
    x, y = band.get_paths()[0].vertices.T
    at = np.isclose(x, 12)
    edges = np.unique(y[at])[[0, -1]]
    assert edges / prediction.loss["mean_field"][0] == pytest.approx([0.9246, 1.0754], rel=1e-6)


def test_weak_superposition_stands_beside_the_weak_theory_alone():
    c = compare(F, [6], seeds=1, weight_decay=0.5, **QUICK)
    assert c.theories == ("weak",) and c.finding.startswith(("The weak theory", "The trained"))


def row(m, measured, **predicted):
    return ComparisonRow("", m, 1.0, 1.0, predicted, measured, 0.0, (0,), {})


@pytest.mark.parametrize(
    ("rows", "quantity", "sentence"),
    [
        (
            [row(10, 1.25, mean_field=1.0), row(20, 1.0, mean_field=1.0)],
            "loss",
            "The mean field is within 25 % of these models at every width, 12 % in the median.",
        ),
        (
            [row(10, 4.0, mean_field=1.0), row(20, 2.0, mean_field=1.0)],
            "loss",
            "The trained losses are 2 to 4 times those of the mean field, 3 in the median.",
        ),
        (
            [row(10, 1.0, mean_field=1.0), row(20, 2.0, weak=1.0)],
            "loss",
            "The mean field is within 0 % of these models at the 1 of 2 points where it has a "
            "value, 0 % in the median.",
        ),
        (
            [row(10, 1.5, mean_field=1.0), row(20, 1.75, mean_field=2.0)],
            "exponent",
            "The exponents by the mean field differ from these models by at most 0.50, by 0.38 in "
            "the median.",
        ),
        ([row(10, 1.0)], "loss", ""),
    ],
)
def test_the_sentence_is_computed_from_the_rows(rows, quantity, sentence):
    assert describe_finding(rows, quantity, "m", trained=True) == sentence


def test_one_width_one_seed():
    c = compare(F, 6, seeds=1, theory="weak", **QUICK)
    assert c.rows[0].stderr == c.runs[0].stderr
    assert "measured" not in c.exponents["weight_decay = -1"]


def test_seeds_may_be_listed():
    for listed in ({"seeds": [7]}, {"seed": 7}, {"seed": [7]}):
        assert compare(F, 6, **listed, theory="weak", **QUICK).rows[0].seeds == (7,)


@pytest.mark.parametrize("error", [DivergenceError, RuntimeError])
def test_a_failed_run_does_not_lose_the_others(monkeypatch, error):
    def sometimes(m, seed):
        if seed == 1:
            raise error("out of memory")

    replace_training(monkeypatch, sometimes)
    with pytest.warns(
        engine.FailedRunsWarning, match="2 of 4 runs failed, the first: m = 12, seed 1"
    ):
        c = compare(F, [6, 12], seeds=2, theory="weak", **QUICK)
    assert [row.seeds for row in c.rows] == [(0,), (0,)]
    assert str(c).count("failed: m = ") == 2
    assert f"m = 6, seed 1: {error.__name__}: out of memory" in c.failures
    assert len(c.to_dict()["failures"]) == 2


def test_if_every_run_fails_the_reason_is_raised():
    with pytest.raises(DivergenceError, match="diverged"):
        compare(F, 6, seeds=2, theory="weak", learning_rate=1e6, **QUICK)


@pytest.mark.parametrize("finished", [0, 1, 3])
def test_ctrl_c_keeps_what_was_finished_and_a_store_resumes(monkeypatch, tmp_path, finished):
    trained = []

    def interrupted(m, seed):
        if len(trained) == finished:
            raise KeyboardInterrupt
        trained.append((m, seed))

    with monkeypatch.context() as context:
        replace_training(context, interrupted)
        with pytest.raises(InterruptedComparison) as caught:
            compare(F, [6, 12], seeds=2, theory="weak", store=tmp_path, **QUICK)
    partial = caught.value.partial
    assert (partial is None) if finished == 0 else len(partial.runs) == finished
    replace_training(monkeypatch, lambda m, seed: trained.append((m, seed)))
    c = compare(F, [6, 12], seeds=2, theory="weak", store=tmp_path, **QUICK)
    assert len(c.runs) == 4 and sorted(trained) == [(6, 0), (6, 1), (12, 0), (12, 1)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"m": 61}, "m = 61"),
        ({"m": []}, "m is empty"),
        ({"seeds": 0}, "seeds = 0"),
        ({"seeds": [1, 1]}, "different seeds"),
        ({"seed": [1, 1]}, "different seeds"),
        ({"seed": -1}, "seed = -1"),
        ({"seeds": []}, "at least one"),
        ({"workers": 0}, "workers = 0"),
        ({"recipe": "slow"}, "recipe = 'slow' is not allowed"),
        ({"theory": "none"}, "theory 'none'"),
        ({"steps": -5}, "steps = -5"),
    ],
)
def test_bad_input_is_refused_before_any_training(monkeypatch, arguments, message):
    monkeypatch.setattr(module, "train_cells", None)
    with pytest.raises(ValueError, match=message):
        compare(F, **({"m": 6} | arguments))


@pytest.mark.parametrize("name", ["checkpoint", "bach"])
def test_settings_that_are_not_for_compare(name):
    with pytest.raises(TypeError, match=name):
        compare(F, 6, **{name: 1})


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [1.75, 2.0])
def test_weak_theory_against_published_training(alpha):
    """The rows that were lost predict the loss to a few per cent; ranks do not."""
    f = Frequencies.power_law(200, alpha)
    c = compare(f, [4, 8, 16, 32], 2, recipe="paper", weight_decay=0.5556, workers=2)
    from numerics.loss.monte_carlo import monte_carlo_loss

    rows, ranks = [], []
    for run in c.runs:
        loss = monte_carlo_loss(run.model, f, 2**21, 7).loss
        found = measure(run.model, f)
        rows.append(abs(loss / found.lost_rows_loss - 1))
        ranks.append(abs(loss / found.lost_ranks_loss - 1))
    assert np.median(rows) < 0.03 and max(rows) < 0.06
    # Negative control: the sum over ranks above φ_1/2 n instead is off by tens of per cent.
    assert np.median(ranks) > 0.1
