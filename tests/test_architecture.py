"""docs/architecture.md says in how many places a thing is added: each is added there, and used."""

import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import numpy as np
import pytest
import typer
from matplotlib.figure import Figure

import superscale as ss
from empirical.comparisons.published import compare_reference
from numerics.tensors import formats
from numerics.tensors.formats import TensorFormat
from numerics.tensors.stored import TensorFile, map_floats
from superscale.commands import app
from theory import registry
from theory.derivation import Derivation, Step, m, n
from theory.estimate import Estimate, LineStyle, Theory

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
EVEN = ss.Frequencies.power_law(100, 0.0)  # the mean field has one group: solved in a moment


def rows():
    """Return places and files of each row of the table "To add something"."""
    table = PAGE[PAGE.index("## To add something") :]
    found = re.findall(r"^\| (an? [^|]+|[a-z ]+) \| (\d+) \| (.+) \|$", table, re.M)
    return {
        what: SimpleNamespace(places=int(places), files=re.findall(r"`([\w/]+(?:\.py|/))`", touch))
        for what, places, touch in found
    }


@pytest.fixture
def edits(monkeypatch):
    """Stand for edits of files: a new module, or a line more in a table that there is."""
    made = []

    def new_module(*functions):
        made.append("a new file")
        return functions

    def append(module, table, record):
        made.append(f"{module.__name__.replace('.', '/')}.py")
        monkeypatch.setattr(module, table, (*getattr(module, table), record))

    return SimpleNamespace(made=made, new_module=new_module, append=append)


def run(capsys, *arguments):
    code = app.run([str(one) for one in arguments])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def test_the_page_names_files_that_there_are():
    assert len(rows()) == 7
    for row in rows().values():
        assert row.files and all((ROOT / name).exists() for name in row.files)
    folders = re.findall(r"^\| `([\w/]+/)` \| .+ \| (?:`([\w.]+)`)? ?\|$", PAGE, re.M)
    assert len(folders) >= 18
    for folder, start in folders:
        assert (ROOT / folder / start).exists(), (folder, start)
    listed = {folder.rstrip("/") for folder, _ in folders}
    rooms = [ROOT / room for room in ("theory", "numerics", "empirical", "superscale")]
    inner = [one.parent for room in rooms for one in room.glob("*/__init__.py")]
    assert {str(one.relative_to(ROOT)) for one in [*rooms, *inner]} - listed <= {"empirical"}


def test_a_theory(edits, capsys):
    # Its module.
    def estimate(request):
        loss = 7.0 / request.m
        return Estimate(loss, np.ones(request.m.size), {"all of it": loss}, ("nothing is known",))

    def derive(features):
        steps = (Step("guess", "The loss falls as 1/m.", n / m),)
        return Derivation("A toy", steps, {("loss", "exact"): 7 / m})

    def refuse(features):
        return None if features.n <= 2000 else "it is for n <= 2000"

    edits.new_module(estimate, derive, refuse)
    # Its record.
    style = LineStyle("a toy", "tab:pink", (0, (9, 1)), "x")
    record = Theory("toy", "the loss is 7/m", estimate, derive, style, refuses=refuse)
    edits.append(registry, "THEORIES", record)
    row = rows()["a theory"]
    assert len(edits.made) == row.places and edits.made[1] in row.files

    prediction = ss.predict(EVEN, [5, 10])
    assert "toy" in prediction.theories and prediction.loss["toy"].tolist() == [1.4, 0.7]
    assert ss.predict(EVEN, 7, theory="toy").loss["toy"] == 1.0
    assert "The loss falls as 1/m." in str(prediction.explain("toy"))
    assert prediction.expression("toy").subs({"m": 7}) == 1
    assert "a toy" in [line.get_label() for line in prediction.plot(Figure().add_subplot()).lines]
    huge = ss.Frequencies.power_law(3000, 0.0)
    assert "toy" not in ss.predict(huge, 10).theories
    with pytest.raises(ValueError, match="'toy' does not apply here: it is for n <= 2000"):
        ss.predict(huge, 10, theory="toy")

    # In the figure of a comparison with several curves, and with one.
    for curves in (None, ["E = 1"]):
        comparison = compare_reference("fig7-width", curves)
        assert "toy" in comparison.theories and "measured/toy" in comparison.to_dataframe()
        axes = comparison.plot(Figure().add_subplot())
        (legend,) = [line for line in axes.lines if line.get_label() == "a toy"]
        assert legend.get_marker() == "x"
        drawn = [line for line in axes.lines if line.get_marker() == "x" and len(line.get_xdata())]
        assert len(drawn) == len(comparison.curves)
        for line in drawn:
            assert np.allclose(line.get_ydata(), 7.0 / np.asarray(line.get_xdata(), float))

    # In the figure of a sweep, beside models of strong superposition.
    grid = {"m": [5, 8], "n": 20, "alpha": 0.0, "weight_decay": [-1.0, 0.5]}
    result = ss.sweep(grid, steps=2, batch=4, evaluation_samples=8, workers=1)
    lines = result.plot(Figure().add_subplot()).lines
    drawn = [line for line in lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert len(drawn) == 1 and np.allclose(drawn[0].get_ydata()[[0, -1]], [7 / 5, 7 / 8])

    out = run(capsys, "predict", "--theory", "toy", "--n", 100, "--m", "5,10")
    assert "loss toy" in out and "1.4" in out and "0.7" in out
    assert "the loss is 7/m" in run(capsys, "theories")
    assert "it is for n <= 2000" in run(capsys, "theories", "--n", 3000)
    assert "nothing is known" in run(capsys, "predict", "--explain", "toy")


def test_without_its_record_there_is_no_such_theory():
    with pytest.raises(ValueError, match="theory 'toy': unknown"):
        ss.predict(EVEN, 5, theory="toy")


def test_a_checkpoint_format(edits, capsys, tmp_path):
    W = np.random.default_rng(0).standard_normal((60, 5)).astype("<f4")

    # Its reader.
    def list_toy(path):
        shape = struct.unpack("<4xII", path.read_bytes()[:12])
        tensor = map_floats(path, "lm_head.weight", shape, "float32", 12, "<f4")
        return TensorFile("toy", {"lm_head.weight": tensor})

    edits.new_module(list_toy)
    # Its record.
    edits.append(formats, "FORMATS", TensorFormat("toy", "TOY", (".toy",), (b"TOY1",), list_toy))
    row = rows()["a checkpoint format"]
    assert len(edits.made) == row.places and edits.made[1] in row.files

    content = b"TOY1" + struct.pack("<II", *W.shape) + W.tobytes()
    for name in ("model.toy", "model.dat"):  # by its ending, and by its first bytes alone
        path = tmp_path / name
        path.write_bytes(content)
        assert np.array_equal(ss.open_matrix(path).read(0, 60), W)
        report = ss.unembeddings.analyze(path)
        assert (report.format, report.n, report.m, report.tensor) == (
            "toy",
            60,
            5,
            "lm_head.weight",
        )
    plain = ss.overlaps(W).mean_square
    assert ss.overlaps(ss.open_matrix(path)).mean_square == plain
    assert f"{plain:.4g}" in run(capsys, "overlaps", tmp_path / "model.toy")
    assert "60 tokens in 5 dimensions" in run(capsys, "analyze", tmp_path / "model.toy")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.toy").write_bytes(content)
    assert ss.unembeddings.analyze(tmp_path / "folder").name == "folder"
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(ValueError, match="give .*TOY"):
        ss.open_matrix(tmp_path / "x.txt")


def test_a_command(edits, capsys):
    # Its function, in the file of its group.
    def toy(times: Annotated[int, typer.Option(help="How often to say it.")] = 2) -> None:
        """Say that a toy is a toy."""
        if times < 1:
            raise ValueError(f"--times {times} is not allowed: give 1 or more")
        print("toy " * times)

    edits.new_module(toy)
    # Its line in the table.
    edits.append(app, "COMMANDS", toy)
    row = rows()["a command"]
    assert len(edits.made) == row.places and edits.made[1] in row.files

    assert run(capsys, "toy", "--times", 3) == "toy toy toy \n"
    assert "Say that a toy is a toy" in run(capsys, "--help")
    assert "How often to say it." in run(capsys, "toy", "--help")
    assert app.run(["toy", "--times", "0"]) == 2
    assert "--times 0 is not allowed" in capsys.readouterr().err


TRAIN = """
import sys
import numpy as np
from empirical.training.run import TrainingRun
from empirical.training.train import train
from theory.frequencies import Frequencies

def start(**changes):
    words = Frequencies.power_law(6, 1.0)
    held = {"weight_decay": 0.0, "learning_rate": 1e-9, "evaluation_samples": 8}
    return train(words, 2, steps=1, batch=4, backend="torch", **held, **changes)

usual, half = start(), start(start_scale=0.5)
assert np.allclose(half.model.W, 0.5 * usual.model.W, rtol=1e-5)
half.save(sys.argv[1])
print(TrainingRun.load(sys.argv[1]).settings)
try:
    start(start_scale=-1)
except ValueError as error:
    print(error)
"""


def test_a_training_setting(tmp_path):
    for room in ("theory", "numerics", "empirical"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    changes = {
        # A field.
        "empirical/training/settings.py": (
            "    loss_scale: float = _real(",
            "    start_scale: float = _real(0.0, 1e3, default=1.0)\n",
        ),
        # The step that reads it.
        "empirical/training/train.py": (
            "    b = first.standard_normal(n)",
            "    W *= np.float32(settings.start_scale)\n",
        ),
    }
    row = rows()["a training setting"]
    assert len(changes) == row.places and row.files[0] in changes
    for name, (before, line) in changes.items():
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.count(before) == 1, (name, before)
        (tmp_path / name).write_text(text.replace(before, line + before), encoding="utf-8")
    shown = subprocess.run(
        [sys.executable, "-c", TRAIN, str(tmp_path / "run.safetensors")],
        # Nothing is compiled for so little.
        env={**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_DISABLE_JIT": "1"},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "start_scale=0.5" in shown.stdout and "start_scale = -1" in shown.stdout


def test_a_law_of_v_and_importances():
    # One value each, which losses, theories and training take as they are.
    assert rows()["a law of v"].places == rows()["importances"].places == 1
    v = ss.Activation(0.5, 2.5, shares=(1, 4, 1))
    features = ss.Features(ss.Frequencies.power_law(20, 1.0), v, np.linspace(2, 0.5, 20))
    others = (
        ss.Features(features.frequencies, v),
        ss.Features(features.frequencies, importance=features.importance),
    )

    lost = np.sort(features.lost_losses)[:-4].sum()
    assert ss.predict(features, 4).loss["weak"] == pytest.approx(lost, rel=1e-12)
    with pytest.raises(ValueError, match="'equiangular' does not apply here"):
        ss.predict(features, 4, theory="equiangular")

    trained = ss.train(features, 4, batch=64, steps=300, seed=1, evaluation_samples=2**14)
    exact = ss.population_loss(trained.model, features)
    sampled = ss.monte_carlo_loss(trained.model, features, samples=2**15, seed=2)
    for loss, stderr in ((trained.loss, trained.stderr), (sampled.loss, sampled.stderr)):
        assert abs(loss - exact.loss) < 4 * stderr
        # Without the law or without the importances it is another number.
        for other in others:
            assert abs(loss - ss.population_loss(trained.model, other).loss) > 8 * stderr
    untrained = ss.population_loss(ss.ToyModel(np.zeros((20, 4)), np.zeros(20)), features)
    assert exact.loss < 0.5 * untrained.loss
