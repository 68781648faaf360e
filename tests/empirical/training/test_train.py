import math

import numpy as np
import pytest
import torch

import empirical.training.steps as torch_steps
import empirical.training.train as training
from empirical.training.recipes import RECIPES
from empirical.training.run import TrainingRun
from empirical.training.settings import TrainingSettings, make_settings, schedule
from empirical.training.steps import FusedSteps, TorchSteps, loss_and_gradients
from empirical.training.train import DivergenceError, train
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.sampling import FeatureSampler
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_loss

SMALL = Frequencies.power_law(40, 1.0, density=2.0)
QUICK = {"recipe": "paper", "batch": 32, "steps": 120, "evaluation_samples": 1000}


def dense(batch, dtype=torch.float32):
    x = torch.zeros(batch.batch, batch.n, dtype=dtype)
    x[batch.sample, batch.feature] = torch.from_numpy(batch.value).to(dtype)
    return x


@pytest.mark.parametrize("seed", range(3))
def test_gradients_against_dense_autograd(seed):
    rng = np.random.default_rng(seed)
    batch = FeatureSampler(SMALL).draw(200, rng)
    W = torch.from_numpy(rng.standard_normal((40, 6)) / 6**0.5).requires_grad_()
    b = torch.from_numpy(0.3 * rng.standard_normal(40)).requires_grad_()
    x = dense(batch, torch.float64)
    loss = torch.sum((torch.relu(x @ W @ W.T + b) - x) ** 2) / 200
    loss.backward()
    ours = loss_and_gradients(W.detach(), b.detach(), batch)
    assert float(ours.loss) == pytest.approx(loss.item(), rel=1e-12)
    assert torch.allclose(ours.W, W.grad, rtol=1e-10, atol=1e-13)
    assert torch.allclose(ours.b, b.grad, rtol=1e-10, atol=1e-13)
    # Negative control: with the encoder held fixed autograd gives another gradient.
    fixed, decoder = W.detach(), W.detach().clone().requires_grad_()
    loss = torch.sum((torch.relu(x @ fixed @ decoder.T + b.detach()) - x) ** 2) / 200
    loss.backward()
    assert not torch.allclose(ours.W, decoder.grad, rtol=1e-3, atol=1e-3)


def plain_training(f, m, gamma, seed, steps, batch, lr, warmup, bias_lr=None, scale=1.0, eps=1e-8):
    """The published loop, dense and with autograd, fed the same start and batches."""
    start, batches, _ = (np.random.default_rng(c) for c in np.random.SeedSequence(seed).spawn(3))
    W = torch.from_numpy((start.standard_normal((f.n, m)) / m**0.5).astype(np.float32))
    b = torch.from_numpy(start.standard_normal(f.n).astype(np.float32))
    W.requires_grad_(), b.requires_grad_()
    sampler = FeatureSampler(f)
    bias_lr = lr if bias_lr is None else bias_lr
    adam = torch.optim.Adam([{"params": [W]}, {"params": [b]}], betas=(0.9, 0.999), eps=eps)
    for step in range(steps):
        if step < warmup:
            factor = (step + 1) / warmup
        else:
            done = (step - warmup) / (steps - warmup)
            factor = 0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2
        rate = lr * factor
        x = dense(sampler.draw(batch, batches))
        loss = scale * torch.mean((torch.relu(x @ W @ W.T + b) - x) ** 2)
        adam.zero_grad()
        loss.backward()
        with torch.no_grad():
            if gamma >= 0:
                W -= rate * gamma * W
            else:
                W += rate * -gamma * W * (1 / W.norm(dim=1, keepdim=True) - 1)
        adam.param_groups[0]["lr"], adam.param_groups[1]["lr"] = rate, bias_lr * factor
        adam.step()
    return W.detach().numpy(), b.detach().numpy()


@pytest.mark.parametrize("backend", ["fused", "torch"])
@pytest.mark.parametrize("gamma", [-1.0, 0.0, 0.5556])
def test_training_against_the_plain_loop(gamma, backend):
    run = train(SMALL, 6, weight_decay=gamma, seed=4, backend=backend, **QUICK)
    W, b = plain_training(SMALL, 6, gamma, 4, 120, 32, 1e-2, 12)
    assert pytest.approx(W, abs=1e-4) == run.model.W
    assert run.model.b == pytest.approx(b, abs=1e-4)
    other, _ = plain_training(SMALL, 6, gamma + 0.1, 4, 120, 32, 1e-2, 12)
    assert pytest.approx(other, abs=1e-4) != run.model.W


@pytest.mark.parametrize("backend", ["fused", "torch"])
def test_bias_learning_rate_and_loss_scale_against_the_plain_loop(backend):
    """Adam forgets the scale of the loss but for its epsilon: make it so small that that counts."""
    settings = {"bias_learning_rate": 1e-3, "loss_scale": 1e-4}
    run = train(SMALL, 6, seed=4, backend=backend, **QUICK, **settings)
    W, b = plain_training(SMALL, 6, -1.0, 4, 120, 32, 1e-2, 12, bias_lr=1e-3, scale=1e-4)
    assert run.model.W == pytest.approx(W, abs=1e-4)
    assert run.model.b == pytest.approx(b, abs=1e-4)
    # Negative controls: the scale forgotten; a sum over features for their mean; one rate for all.
    for other in ({"scale": 1.0}, {"scale": 40e-4}, {"scale": 1e-4, "bias_lr": 1e-2}):
        wrong, _ = plain_training(
            SMALL, 6, -1.0, 4, 120, 32, 1e-2, 12, **({"bias_lr": 1e-3} | other)
        )
        assert run.model.W != pytest.approx(wrong, abs=1e-4)


def test_the_start_is_as_published():
    run = train(
        Frequencies.power_law(4000, 1.0),
        16,
        recipe="paper",
        batch=1,
        steps=1,
        learning_rate=1e-12,
        evaluation_samples=2,
    )
    W, b = run.model.W, run.model.b
    count = W.size
    assert abs(W.mean()) < 4 * 0.25 / count**0.5
    assert abs(W.var() - 1 / 16) < 4 * math.sqrt(2 / count) / 16
    assert abs(b.mean()) < 4 / 4000**0.5 and abs(b.var() - 1) < 4 * math.sqrt(2 / 4000)
    zero = train(
        SMALL,
        5,
        recipe="paper",
        bias_start="zero",
        batch=1,
        steps=1,
        learning_rate=1e-12,
        evaluation_samples=2,
    )
    assert np.all(np.abs(zero.model.b) < 1e-9)


PUBLISHED = {
    "weight_decay": -1.0,
    "bias_start": "normal",
    "batch": 2048,
    "late_batch": 2048,
    "steps": 20_000,
    "learning_rate": 1e-2,
    "bias_learning_rate": 1e-2,
    "warmup_steps": 2000,
    "final_learning_rate": 0.05,
    "rare_share": 0.0,
    "loss_scale": 1.0,
}


def test_the_paper_recipe_is_the_published_one():
    assert PUBLISHED.items() <= dict(make_settings(recipe="paper")).items()


def test_fast_is_the_default_and_what_is_given_comes_before_a_recipe():
    fast = make_settings()
    assert fast == make_settings(recipe="fast") == TrainingSettings()
    for name, value in RECIPES["fast"].items():
        assert fast[name] == value
    assert fast.warmup_steps == fast.steps // 10
    own = make_settings(batch=32, steps=50)
    assert (own.batch, own.late_batch, own.steps) == (32, 32, 50)
    assert own.bias_start == "zero"
    with pytest.raises(ValueError, match="recipe = 'slow' is not allowed: give 'fast' or 'paper'"):
        make_settings(recipe="slow")


def test_the_batch_grows_late(monkeypatch):
    sizes = []
    plain = FusedSteps.take

    def listening(self, rates, bias_rates, done, batch):
        sizes.extend([batch] * len(rates))
        return plain(self, rates, bias_rates, done, batch)

    monkeypatch.setattr(FusedSteps, "take", listening)
    train(SMALL, 6, batch=8, late_batch=16, late_fraction=0.3, steps=50, evaluation_samples=10)
    assert sizes == [8] * 35 + [16] * 15


def test_schedule():
    rates = [schedule(step, 1000, 100, 0.05) for step in range(1000)]
    assert rates[0] == 0.01 and rates[99] == rates[100] == 1
    assert np.all(np.diff(rates[:100]) > 0) and np.all(np.diff(rates[100:]) < 0)
    assert rates[-1] == pytest.approx(0.05, abs=1e-4)
    assert schedule(0, 10, 0, 0.05) == 1


def test_same_seed_same_model_and_other_seed_another():
    first, second, other = (train(SMALL, 6, seed=s, **QUICK) for s in (1, 1, 2))
    assert np.array_equal(first.model.W, second.model.W)
    assert first.loss == second.loss
    assert not np.array_equal(first.model.W, other.model.W)


def test_training_learns_what_theory_allows():
    """Weak decay keeps one feature to a direction: near the ideal, far from learning nothing."""
    f = Frequencies.power_law(50, 1.5)
    run = train(f, 10, recipe="paper", weight_decay=0.3, bias_start="zero", batch=128, steps=2000)
    ideal = float(weak_loss(f, 10))
    assert run.loss < 1.15 * ideal
    assert run.loss < 0.5 * float(weak_loss(f, 0))
    assert run.losses[-1] < run.losses[0]
    fresh = monte_carlo_loss(run.model, f, 2**16, 99)
    assert abs(fresh.loss - run.loss) < 4 * math.hypot(fresh.stderr, run.stderr)


def batch_losses(f, steps, batch, seed):
    """The loss of every batch of a run, by stopping it after each step."""
    losses = []
    plain = torch_steps.loss_and_gradients

    def listening(*arguments):
        gradients = plain(*arguments)
        losses.append(float(gradients.loss))
        return gradients

    torch_steps.loss_and_gradients = listening
    try:
        run = train(
            f,
            6,
            recipe="paper",
            batch=batch,
            steps=steps,
            seed=seed,
            evaluation_samples=10,
            backend="torch",
        )
    finally:
        torch_steps.loss_and_gradients = plain
    return run, np.array(losses)


def test_history_averages_every_step():
    run, losses = batch_losses(SMALL, 120, 8, 0)
    assert np.array_equal(run.steps, np.arange(1, 121))
    assert run.losses == pytest.approx(losses, rel=1e-6)
    run, losses = batch_losses(SMALL, 507, 8, 0)  # records of 3 steps
    assert run.steps.size == 169 and run.steps[0] == 3
    assert run.losses == pytest.approx(losses.reshape(-1, 3).mean(axis=1), rel=1e-6)
    run, losses = batch_losses(SMALL, 500, 8, 0)  # the last record is one of 2
    assert np.array_equal(run.steps[-2:], [498, 500])
    assert run.losses[-1] == pytest.approx(losses[-2:].mean(), rel=1e-6)


def test_the_reported_loss_is_of_fresh_samples():
    run = train(SMALL, 6, seed=5, **QUICK)
    _, _, evaluation = np.random.SeedSequence(5).spawn(3)
    again = monte_carlo_loss(run.model, SMALL, 1000, np.random.default_rng(evaluation))
    assert (run.loss, run.stderr, run.samples) == (again.loss, again.stderr, 1000)


def test_other_activations_reach_the_samples_and_the_record():
    v = Activation(0.25, 0.5)
    run = train(Features(SMALL, v), 6, seed=4, **QUICK)
    assert run.features.activation == v
    batches = np.random.default_rng(np.random.SeedSequence(4).spawn(3)[1])
    assert FeatureSampler(Features(SMALL, v)).draw(32, batches).value.max() <= 0.5
    # The evaluation uses it too: every sample of a dead model costs what v is.
    fresh = monte_carlo_loss(run.model, run.features, 2**14, 1)
    assert abs(fresh.loss - run.loss) < 4 * math.hypot(fresh.stderr, run.stderr)
    other = train(SMALL, 6, seed=4, **QUICK)
    assert not np.allclose(run.model.W, other.model.W, atol=1e-3)


def test_progress_is_reported():
    seen = []
    train(SMALL, 6, progress=lambda done, total: seen.append((done, total)), **QUICK)
    assert seen == [(step, 120) for step in range(1, 121)]


@pytest.mark.parametrize("learning_rate", [1e3, 1e6])
def test_divergence_stops_with_a_clear_error(learning_rate):
    with pytest.raises(
        DivergenceError, match="training diverged: loss .* try a smaller learning rate"
    ):
        train(SMALL, 6, learning_rate=learning_rate, **QUICK)


def test_a_model_that_only_the_last_step_ruined_is_not_returned():
    with pytest.raises(DivergenceError, match="around step 1 of 1"):
        train(SMALL, 6, batch=8, steps=1, learning_rate=1e6, warmup_steps=0)


BACKENDS = {"fused": FusedSteps, "torch": TorchSteps}


@pytest.mark.parametrize("backend", BACKENDS)
def test_divergence_is_ten_thousand_times_what_learning_nothing_costs(monkeypatch, backend):
    """The limit itself, by a loss that is put just below and just above it."""
    limit = 1e4 * float(weak_loss(SMALL, 0))
    method = BACKENDS[backend]
    plain = method.take
    for factor, diverges in ((0.99, False), (1.01, True)):

        def costly(self, *arguments, factor=factor):
            return np.full_like(plain(self, *arguments), factor * limit)

        monkeypatch.setattr(method, "take", costly)
        if diverges:
            with pytest.raises(DivergenceError):
                train(SMALL, 6, backend=backend, **QUICK)
        else:
            train(SMALL, 6, backend=backend, **QUICK)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 1e39}, "learning_rate = 1e\\+39"),
        ({"m": 41}, "m = 41"),
        ({"m": 0}, "m = 0"),
        ({"m": [3, 4]}, "not one width"),
        ({"batch": 0}, "batch = 0"),
        ({"steps": 0}, "steps = 0"),
        ({"warmup_steps": 121}, "warmup_steps = 121"),
        ({"learning_rate": 0}, "learning_rate = 0"),
        ({"bias_learning_rate": -1}, "bias_learning_rate = -1"),
        ({"weight_decay": math.nan}, "weight_decay = nan"),
        ({"bias_start": "ones"}, "bias_start = 'ones'"),
        ({"seed": -1}, "seed = -1"),
        ({"device": "abacus"}, "device 'abacus' cannot be used"),
        ({"device": "meta", "backend": "fused"}, "runs on the CPU, not on 'meta'"),
        ({"backend": "numba"}, "backend = 'numba'"),
        ({"checkpoint": "/no/such/folder/x"}, "does not exist"),
        ({"checkpoint_every": 0}, "checkpoint_every = 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        train(SMALL, **({"m": 6} | QUICK | settings))


def test_unknown_setting():
    with pytest.raises(TypeError, match="no setting 'bach': it has recipe, weight_decay, seed"):
        train(SMALL, 6, bach=3)
    with pytest.raises(TypeError, match=r"it belongs to the features, Features\(frequencies, act"):
        train(SMALL, 6, activation=Activation())


# ---- stop and resume -------------------------------------------------------------------


class Stop(Exception):
    pass


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("stop_at", [1, 49, 50, 51, 200, 499])
def test_a_resumed_run_repeats_an_undisturbed_one_bit_for_bit(
    tmp_path, monkeypatch, stop_at, backend
):
    # 500 steps make records of 3: saving after every 25 falls inside them.
    quick = QUICK | {"steps": 500, "batch": 8, "backend": backend}
    whole = train(SMALL, 6, seed=3, **quick)
    path = tmp_path / "state.safetensors"
    method = BACKENDS[backend]
    plain = method.take

    def failing(self, rates, bias_rates, done, batch):
        if done + len(rates) >= stop_at:
            raise Stop
        return plain(self, rates, bias_rates, done, batch)

    monkeypatch.setattr(method, "take", failing)
    with pytest.raises(Stop):
        train(SMALL, 6, seed=3, checkpoint=path, checkpoint_every=25, **quick)
    monkeypatch.setattr(method, "take", plain)
    resumed = train(SMALL, 6, seed=3, checkpoint=path, checkpoint_every=25, **quick)
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
    with pytest.raises(ValueError, match="cannot be read as a safetensors file"):
        train(SMALL, 6, checkpoint=path, **QUICK)
    train(SMALL, 6, **QUICK).save(path)
    with pytest.raises(ValueError, match=r"holds superscale.TrainingRun/3, not"):
        train(SMALL, 6, checkpoint=path, **QUICK)


def test_time_adds_up_over_stops(tmp_path, monkeypatch):
    path = tmp_path / "state.safetensors"
    clock = iter(range(0, 10**6, 10))  # every look at the clock takes ten seconds
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(clock))
    first = train(SMALL, 6, checkpoint=path, checkpoint_every=60, **QUICK)
    again = train(SMALL, 6, checkpoint=path, checkpoint_every=60, **QUICK)
    assert again.seconds >= first.seconds - 10 > 0


# ---- saving ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        SMALL,
        Frequencies.exponential(30, 5.0),
        Frequencies.linear(30),
        Frequencies.from_counts([9, 5, 0, 1, 1, 1, 1, 1]),
    ],
    ids=str,
)
def test_runs_come_back_as_they_were(tmp_path, f):
    run = train(f, 5, **QUICK)
    run.save(tmp_path / "run.safetensors")
    back = TrainingRun.load(tmp_path / "run.safetensors")
    assert np.array_equal(back.model.W, run.model.W) and np.array_equal(back.model.b, run.model.b)
    assert back.features == run.features and back.settings == run.settings
    assert (back.loss, back.stderr, back.samples) == (run.loss, run.stderr, run.samples)
    assert back.to_dataframe().equals(run.to_dataframe())
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def test_runs_print_and_plot():
    from matplotlib.figure import Figure

    run = train(SMALL, 6, **QUICK)
    assert "n = 40, m = 6" in str(run)
    assert len(run.plot(Figure().add_subplot()).lines) == 2


def test_files_that_are_no_runs(tmp_path):
    for path, message in ((tmp_path, "is a directory"), (tmp_path / "no", "does not exist")):
        with pytest.raises(ValueError, match=message):
            TrainingRun.load(path)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="cannot be read"):
        TrainingRun.load(tmp_path / "text")
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(3)}, tmp_path / "foreign")
    with pytest.raises(ValueError, match="holds no format"):
        TrainingRun.load(tmp_path / "foreign")
    with pytest.raises(ValueError, match="is a directory"):
        train(SMALL, 6, **QUICK).save(tmp_path)


def test_a_second_phase_begins_where_the_first_ended(tmp_path):
    first = train(SMALL, 6, **QUICK)
    # A phase without steps worth the name changes nothing; the seed is for batches alone.
    still = train(SMALL, 6, model=first.model, **{**QUICK, "learning_rate": 1e-30, "seed": 9})
    np.testing.assert_allclose(still.model.W, first.model.W, atol=1e-6)
    np.testing.assert_allclose(still.model.b, first.model.b, atol=1e-6)
    for backend in ("fused", "torch"):
        second = train(SMALL, 6, model=first.model, backend=backend, **QUICK)
        assert second.loss < first.loss
        assert len(second.begun_at) == 64
    again = train(SMALL, 6, model=first.model, checkpoint=tmp_path / "c", **QUICK)
    resumed = train(SMALL, 6, model=first.model, checkpoint=tmp_path / "c", **QUICK)
    np.testing.assert_array_equal(resumed.model.W, again.model.W)
    for other in ({}, {"model": again.model}):
        with pytest.raises(ValueError, match="belongs to another run .begun_at"):
            train(SMALL, 6, checkpoint=tmp_path / "c", **other, **QUICK)
    with pytest.raises(ValueError, match="they must agree"):
        train(SMALL, 7, model=first.model, **QUICK)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_trains_the_same_model():
    cpu, gpu = (train(SMALL, 6, device=device, **QUICK) for device in ("cpu", "cuda"))
    assert pytest.approx(cpu.model.W, abs=1e-3) == gpu.model.W
