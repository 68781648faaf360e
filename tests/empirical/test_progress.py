import functools
import io
import sys
import time
from types import SimpleNamespace

import pytest
import rich.console

import empirical.progress as module
from empirical.progress import report, report_rounds


def shown_after(seconds, monkeypatch, terminal=True):
    """Return what is written on a terminal by work that ends with an error after some rounds."""
    screen = io.StringIO()
    wanted = functools.partial(rich.console.Console, file=screen, force_terminal=terminal)
    monkeypatch.setattr(rich.console, "Console", lambda **options: wanted())
    with pytest.raises(ZeroDivisionError), report_rounds("solving") as advance:
        advance(7)
        time.sleep(seconds)
        raise ZeroDivisionError
    return screen.getvalue()


def test_long_work_shows_its_rounds_and_short_work_nothing(monkeypatch):
    monkeypatch.setattr(module, "_DELAY", 0.0)
    assert "solving: 7 rounds" in shown_after(0.3, monkeypatch)
    assert shown_after(0.3, monkeypatch, terminal=False) == ""
    monkeypatch.setattr(module, "_DELAY", 60.0)
    assert shown_after(0.0, monkeypatch) == ""


def test_lines_where_there_is_no_terminal(monkeypatch, capsys):
    # Two for the start, one for each step.
    clock = iter([0.0, 0.0, 10.0, 29.0, 30.0, 45.0, 61.0, 90.9])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with report(True, "training") as advance:
        for done in range(1, 7):
            advance(done, 6)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["training: 3 of 6 after 30 s", "training: 5 of 6 after 61 s"]


def test_one_line_in_a_notebook(monkeypatch, capsys):
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    clock = iter([0.0, 0.0, 0.5, 1.0, 1.9, 2.0])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with report(True, "training") as advance:
        for done in (98, 99, 100, 7):
            advance(done, 100)
    # Each covers the whole of what stood there before.
    assert capsys.readouterr().err == (
        "\rtraining: 99 of 100 after 1 s\rtraining: 7 of 100 after 2 s \n"
    )
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 0.0))
    with report(True, "training") as advance:
        advance(1, 2)
    assert capsys.readouterr().err == ""


def test_rounds_as_lines(monkeypatch, capsys):
    clock = iter([0.0, 10.0, 31.0, 50.0])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with report_rounds("solving") as advance:
        for rounds in range(1, 4):
            advance(rounds)
    assert capsys.readouterr().err == "solving: 2 rounds after 31 s\n"


def test_a_bar_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(module, "_DELAY", -1.0)
    monkeypatch.setenv("TERM", "xterm")
    with report(True, "training") as advance:
        advance(3, 7)
    assert "training" in sys.stderr.getvalue() and "3/7" in sys.stderr.getvalue()


def test_no_progress_and_a_function(capsys):
    told = []
    for wanted in (False, lambda done, total: told.append((done, total))):
        with report(wanted, "training") as advance:
            advance(1, 2)
    assert told == [(1, 2)] and capsys.readouterr() == ("", "")
