import numpy as np
import pytest

import empirical.training.train as training
from empirical.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from empirical.training.run import digest, read_record
from empirical.training.steps import FusedSteps
from empirical.training.torch_steps import TorchSteps
from empirical.training.train import train
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies

SMALL = Frequencies.power_law(40, 1.0, density=2.0)
QUICK = {"recipe": "paper", "batch": 32, "steps": 120, "evaluation_samples": 1000}


SHOWN = Features(SMALL, Activation(0.5, 1.5, (1, 2)), np.linspace(2, 0, 40))
BACKENDS = {"fused": FusedSteps, "torch": TorchSteps}


class Stop(Exception):
    pass


# 420 steps make records of 3: saving after every 25 falls inside them.
STEPS = 420


@pytest.fixture(scope="module", params=BACKENDS)
def undisturbed(request):
    quick = QUICK | {"steps": STEPS, "batch": 4, "backend": request.param}
    return quick, train(SHOWN, 3, seed=3, **quick)


@pytest.mark.parametrize("stop_at", [1, 49, 50, 51, STEPS - 1])
def test_a_resumed_run_repeats_an_undisturbed_one_bit_for_bit(
    tmp_path, monkeypatch, stop_at, undisturbed
):
    quick, whole = undisturbed
    path = tmp_path / "state.safetensors"
    method = BACKENDS[quick["backend"]]
    plain = method.take

    def failing(self, rates, bias_rates, done, batch):
        if done + len(rates) >= stop_at:
            raise Stop
        return plain(self, rates, bias_rates, done, batch)

    monkeypatch.setattr(method, "take", failing)
    with pytest.raises(Stop):
        train(SHOWN, 3, seed=3, checkpoint=path, checkpoint_every=25, **quick)
    monkeypatch.setattr(method, "take", plain)
    resumed = train(SHOWN, 3, seed=3, checkpoint=path, checkpoint_every=25, **quick)
    for name in ("W", "b"):
        assert np.array_equal(getattr(resumed.model, name), getattr(whole.model, name))
    assert (resumed.loss, resumed.stderr) == (whole.loss, whole.stderr)
    assert np.array_equal(resumed.losses, whole.losses)
    assert np.array_equal(resumed.steps, whole.steps)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_finished_checkpoint_is_not_trained_again(tmp_path, monkeypatch, backend):
    path = tmp_path / "state.safetensors"
    first = train(SMALL, 6, checkpoint=path, backend=backend, **QUICK)
    monkeypatch.setattr(BACKENDS[backend], "take", None)  # would fail if called
    again = train(SMALL, 6, checkpoint=path, backend=backend, **QUICK)
    assert np.array_equal(first.model.W, again.model.W)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    train(SMALL, 6, checkpoint=path, **QUICK)
    with pytest.raises(ValueError, match="belongs to another run .*seed = 0 there, 1 here"):
        train(SMALL, 6, seed=1, checkpoint=path, **QUICK)
    with pytest.raises(ValueError, match="belongs to another run .*m = 6 there, 5 here"):
        train(SMALL, 5, checkpoint=path, **QUICK)
    for other in (
        Features(SMALL, Activation(0.0, 1.0)),
        Features(SMALL, importance=[2] + 39 * [1]),
        Frequencies.power_law(40, 1.1, density=2.0),
    ):
        with pytest.raises(ValueError, match="belongs to a run on other features"):
            train(other, 6, checkpoint=path, **QUICK)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="cannot be read as a safetensors file.*begin anew"):
        train(SMALL, 6, checkpoint=path, **QUICK)
    train(SMALL, 6, **QUICK).save(path)
    with pytest.raises(ValueError, match=r"holds superscale.TrainingRun/3, not.* another file"):
        train(SMALL, 6, checkpoint=path, **QUICK)


def test_time_adds_up_over_stops(tmp_path, monkeypatch):
    path = tmp_path / "state.safetensors"
    clock = iter(range(0, 10**6, 10))  # every look at the clock takes ten seconds
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(clock))
    first = train(SMALL, 6, checkpoint=path, checkpoint_every=60, **QUICK)
    again = train(SMALL, 6, checkpoint=path, checkpoint_every=60, **QUICK)
    assert again.seconds >= first.seconds - 10 > 0


def write_state(path):
    rng = np.random.default_rng(7)
    state = {
        name: rng.standard_normal((40, 3)[: 1 + (name[0] != "b")]).astype(np.float32)
        for name in ("W", "b", "W.first", "W.second", "b.first", "b.second")
    }
    progress = Progress(50, 0.125, 1.5, [10, 20], [0.7, 0.1])
    save_checkpoint(path, Features(SMALL), {"m": 3, "seed": 7}, state, rng, progress)
    return state, rng.bit_generator.state, progress


def read_state(path):
    rng = np.random.default_rng(0)
    state, progress = load_checkpoint(path, Features(SMALL), {"m": 3, "seed": 7}, rng)
    return state, rng.bit_generator.state, progress


def are_equal(one, other):
    arrays = one[0].keys() == other[0].keys() and all(
        np.array_equal(one[0][name], other[0][name]) for name in one[0]
    )
    return arrays and one[1:] == other[1:]


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    path = tmp_path / "state.safetensors"
    saved = write_state(path)
    assert are_equal(read_state(path), saved)
    data, rng = path.read_bytes(), np.random.default_rng(13)
    begin = 8 + int.from_bytes(data[:8], "little")
    # Half in the header, half in the tensors, wherever the border lies.
    places = [*rng.integers(8 * begin, size=100), *rng.integers(8 * begin, 8 * len(data), size=100)]
    refused = 0
    for place in map(int, places):
        broken = bytearray(data)
        broken[place // 8] ^= 1 << place % 8
        path.write_bytes(broken)
        try:
            found = read_state(path)
        except ValueError as error:
            refused += 1
            assert "delete it to begin anew" in str(error)
            assert str(path) in str(error)
            assert "\n" not in str(error)
        else:
            assert are_equal(found, saved), place
    assert refused >= 190  # all in the tensors, and of the header all but, say, e for E


def test_the_digest_is_of_tensors_and_record(tmp_path):
    # Without it a number that was changed would be read as any other.
    path = tmp_path / "state.safetensors"
    write_state(path)
    tensors, record = read_record(path, "superscale.Checkpoint/3")
    assert record["sha256"] == digest(tensors, record)
    assert record["sha256"] != digest(tensors, record | {"progress": {}})
    tensors["W"][0, 0] += 1
    assert record["sha256"] != digest(tensors, record)
