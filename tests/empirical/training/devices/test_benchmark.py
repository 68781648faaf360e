"""What is prepared for a GPU runs on the CPU, at small sizes, and says so where there is none."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[4] / "benchmarks" / "gpu.py"


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
    before = SCRIPT.with_suffix(".json").exists()
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert SCRIPT.with_suffix(".json").exists() == before
    return capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="is for machines without a GPU")
def test_without_a_gpu_it_says_what_it_would_do(monkeypatch, capsys):
    shown = run(monkeypatch, capsys)
    assert "no GPU here: nothing is measured" in shown
    for part in ("equality", "loss", "large_step", "many"):
        assert f"- {part}: " in shown


@pytest.mark.slow
def test_a_rehearsal_runs_every_part(monkeypatch, capsys):
    shown = run(monkeypatch, capsys, "--rehearse")
    assert [line.split(":")[0] for line in shown.splitlines()] == [
        "equality", "loss", "many", "large_step",
    ]  # fmt: skip
    assert "None" not in shown
