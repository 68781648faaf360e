"""The recipe "converged": against plain training, its stopping rule, and what is stored of it."""

import dataclasses

import numpy as np
import pytest

import empirical.training.convergence as convergence
from empirical.comparisons.trained import compare
from empirical.sweeps.sweep import sweep
from empirical.training.convergence import Convergence, Round, is_over, round_settings
from empirical.training.run import TrainingRun
from empirical.training.settings import TrainingSettings
from empirical.training.steps import FusedSteps
from empirical.training.train import DivergenceError, train
from empirical.training.train_many import train_many
from numerics.loss.exact import population_loss
from numerics.toy_model import ToyModel
from theory.features import Features
from theory.frequencies import Frequencies

WORDS = Frequencies.power_law(30, 1.5)
QUICK = {"recipe": "converged", "steps": 500, "evaluation_samples": 1000}


@pytest.fixture(scope="module")
def run():
    return train(WORDS, 5, seed=2, **QUICK)


def exact_loss(model, features=WORDS):
    return population_loss(model, features, rtol=1e-6).loss


def rounds(*losses):
    """Return six first rounds, of which the last is the lowest, 1.0, and doublings after them."""
    begun = ["start", "last"] * 3 + ["lowest"] * len(losses)
    low, found = np.inf, []
    for where, loss in zip(begun, [2.0, 1.5, 1.9, 1.2, 1.8, 1.0, *losses], strict=True):
        first = found[:2] + [one for one in found[6:] if one.kept]
        samples = 51_200 if where != "lowest" else sum(one.samples for one in first)
        kept = loss <= low
        found.append(Round(samples // 1024, samples, 0.01, 0.0, where, loss, 0.0, kept))
        low = min(low, loss)
    return found


def test_it_ends_below_plain_training_of_as_many_steps_and_a_doubling_gains_little(run):
    done = run.convergence
    assert done.converged and 0 <= done.gain < 0.01
    plain = train(WORDS, 5, seed=2, steps=done.steps, evaluation_samples=1000)
    assert run.loss < 0.99 * exact_loss(plain.model)
    # Once more as many samples, from where it stopped, by the settings of the next round.
    more = round_settings(run.settings, done.rounds)
    twice = train(WORDS, 5, model=run.model, **{**more, "recipe": "fast", "seed": 7})
    assert run.loss < 1.01 * exact_loss(twice.model)


def test_the_loss_is_the_exact_one_of_the_model(run):
    assert run.convergence.exact and run.loss == run.convergence.loss
    assert abs(run.loss - exact_loss(run.model)) <= run.stderr + 1e-6 * run.loss
    assert run.stderr < 2e-4 * run.loss


def test_first_trainings_have_three_growths_and_rounds_double_the_samples(run):
    done = run.convergence.rounds
    assert [one.weight_decay for one in done[:6:2]] == [-1.0, -0.1, 0.0]
    assert [one.begun_at for one in done[:7]] == ["start", "last"] * 3 + ["lowest"]
    assert all(one.weight_decay == 0 for one in done[1::2])
    assert [one.steps for one in done[:6]] == [500, 250] * 3
    assert done[0].samples == 250 * (64 + 256)
    for k in range(6, len(done)):
        seen = sum(one.samples for one in [*done[:2], *done[6:k]])
        assert seen <= done[k].samples < seen + 1024
    assert run.convergence.steps == sum(one.steps for one in done) == run.steps[-1]
    assert np.all(np.diff(run.steps) > 0)
    assert round_settings(run.settings, done).rare_share == 0.9
    fast = train(WORDS, 5, seed=2, steps=500, evaluation_samples=1000)
    assert done[0].loss == pytest.approx(exact_loss(fast.model), rel=1e-4)


def test_one_growth_where_weights_decay():
    quick = {"steps": 20, "evaluation_samples": 10, "recipe": "converged"}
    done = train(WORDS, 5, weight_decay=0.5, **quick).convergence.rounds
    assert [one.begun_at for one in done[:3]] == ["start", "last", "lowest"]
    assert [one.weight_decay for one in done[:3]] == [0.5, 0.0, 0.0]


def test_stopping_before_it_has_converged_is_said_and_costs_loss(run, monkeypatch):
    monkeypatch.setattr(convergence, "MOST", 0)
    short = train(WORDS, 5, seed=2, **QUICK)
    assert short.convergence.doublings == 0 and not short.convergence.converged
    assert str(short.convergence).startswith("not converged")
    assert short.loss > 1.01 * run.loss


def test_the_stopping_rule():
    settings = TrainingSettings(recipe="converged")
    over = {k: is_over(settings, rounds()[:k]) for k in range(7)}
    assert not any(over.values())
    assert not is_over(settings, rounds(0.989))  # 1.1 %
    assert is_over(settings, rounds(0.991))  # 0.9 %
    assert not is_over(settings, rounds(1.01))  # a round that ends higher says nothing
    endless = [0.9**k for k in range(1, convergence.MOST + 1)]
    assert not is_over(settings, rounds(*endless[:-1])) and is_over(settings, rounds(*endless))
    assert not Convergence(tuple(rounds(*endless)), True).converged


def test_a_round_that_ends_higher_is_repeated_at_half_the_rate():
    settings = TrainingSettings(recipe="converged", steps=100, bias_learning_rate=0.02)
    kept = round_settings(settings, rounds(0.9))
    again = round_settings(settings, rounds(0.9, 0.95))
    assert (kept.steps, kept.learning_rate, kept.bias_learning_rate) == (200, 0.01, 0.02)
    assert (again.steps, again.learning_rate, again.bias_learning_rate) == (200, 0.005, 0.01)


def test_the_model_is_that_of_the_lowest_round(monkeypatch):
    ends, plain = [], FusedSteps.take

    def take(self, *rest):
        losses = plain(self, *rest)
        ends.append(self.state()["W"].copy())
        return losses

    monkeypatch.setattr(FusedSteps, "take", take)
    for losses, place in (([0.9, 0.95, 0.899], 8), ([0.9, *[0.95] * 7], 6), ([1.1] * 8, 5)):
        measured = iter([one.loss for one in rounds(*losses)])
        monkeypatch.setattr(convergence, "measure_loss", lambda *_: (next(measured), 0.0, True))  # noqa: B023
        ends.clear()
        run = train(WORDS, 5, recipe="converged", steps=1, evaluation_samples=10)
        found = run.convergence
        assert run.loss == min(one.loss for one in found.rounds)
        assert found.converged == (place == 8)
        # A round may take several calls: the end of each is the last of its calls.
        calls = np.searchsorted(run.steps, np.cumsum([one.steps for one in found.rounds]))
        assert np.array_equal(run.model.W, ends[calls[place]].astype(float))


def test_a_round_that_diverges_says_so(monkeypatch):
    plain = FusedSteps.take

    def take(self, rates, bias_rates, done, batch):
        losses = plain(self, rates, bias_rates, done, batch)
        if batch == convergence.BATCH and done + len(rates) == 250:
            self.state()["b"][0] = np.nan
        return losses

    monkeypatch.setattr(FusedSteps, "take", take)
    with pytest.raises(DivergenceError, match="of 250 with learning rate 0.01"):
        train(WORDS, 5, **QUICK)


def test_the_same_seed_gives_the_same_run(run):
    again = train(WORDS, 5, seed=2, **QUICK)
    assert np.array_equal(again.model.W, run.model.W) and again.convergence == run.convergence
    other = train(WORDS, 5, seed=3, **QUICK)
    assert not np.array_equal(other.model.W, run.model.W)


@pytest.mark.parametrize("stop_at", [300, 700, 2400])
def test_a_run_that_was_stopped_in_any_round_resumes_bit_for_bit(
    tmp_path, monkeypatch, stop_at, run
):
    plain, count = FusedSteps.take, 0

    def failing(self, rates, *rest):
        nonlocal count
        count += len(rates)
        if count > stop_at:
            raise KeyboardInterrupt
        return plain(self, rates, *rest)

    path = tmp_path / "state.safetensors"
    monkeypatch.setattr(FusedSteps, "take", failing)
    with pytest.raises(KeyboardInterrupt):
        train(WORDS, 5, seed=2, checkpoint=path, checkpoint_every=90, **QUICK)
    monkeypatch.setattr(FusedSteps, "take", plain)
    resumed = train(WORDS, 5, seed=2, checkpoint=path, checkpoint_every=90, **QUICK)
    assert np.array_equal(resumed.model.W, run.model.W)
    assert resumed.convergence == run.convergence
    assert np.array_equal(resumed.losses, run.losses)
    assert np.array_equal(resumed.steps, run.steps)


def test_a_saved_run_says_what_was_done(tmp_path, run):
    run.save(tmp_path / "run.safetensors")
    back = TrainingRun.load(tmp_path / "run.safetensors")
    assert back.convergence == run.convergence and str(back) == str(run)
    fast = train(WORDS, 5, steps=5, evaluation_samples=10)
    fast.save(tmp_path / "fast.safetensors")
    assert TrainingRun.load(tmp_path / "fast.safetensors").convergence is None


def test_compare_and_sweep_take_it_and_a_store_keeps_it(tmp_path, run):
    c = compare(WORDS, [5], seed=2, theory="weak", workers=1, store=tmp_path, **QUICK)
    assert c.runs[0].loss == run.loss and c.runs[0].convergence == run.convergence
    stored = list(tmp_path.glob("*.safetensors"))
    grid = {"m": 5, "frequencies": Features(WORDS), "seed": 2, "recipe": ["converged", "fast"]}
    quick = {name: value for name, value in QUICK.items() if name != "recipe"}
    table = sweep(grid, store=tmp_path, workers=1, **quick).to_dataframe().set_index("recipe")
    assert table.loc["converged", "loss"] == run.loss
    assert table.loc["fast", "loss"] > 1.02 * run.loss
    assert set(stored) < set(tmp_path.glob("*.safetensors"))


def test_features_that_depend_on_each_other_and_large_models_are_measured_too(monkeypatch):
    forest = Features.exclusive(WORDS, [range(30)])
    model = ToyModel(np.eye(30, 5), np.zeros(30))
    settings = TrainingSettings(recipe="converged", evaluation_samples=2**14)
    loss, _, exact = convergence.measure_loss(model, forest, settings)
    assert exact and loss == pytest.approx(population_loss(model, forest).loss, rel=1e-3)
    monkeypatch.setattr(convergence, "_SAMPLED_BEYOND", 10)
    sampled, stderr, exact = convergence.measure_loss(model, Features(WORDS), settings)
    assert not exact and abs(sampled - exact_loss(model)) < 4 * stderr
    assert convergence.measure_loss(model, Features(WORDS), settings)[0] == sampled


def test_train_many_says_that_it_trains_one_at_a_time():
    with pytest.raises(ValueError, match="one model at a time"):
        train_many(WORDS, 5, seeds=2, recipe="converged")


def test_the_record_reads_well():
    done = Convergence(tuple(rounds(0.8, 0.796)), True)
    assert str(done) == (
        "converged after 600 steps, 2 doublings: the last lowered the loss by 0.50 % to 0.796"
    )
    table = done.to_dataframe()
    assert list(table) == [field.name for field in dataclasses.fields(Round)]
    assert list(table["loss"])[-3:] == [1.0, 0.8, 0.796]
