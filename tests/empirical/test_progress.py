import functools
import io
import time

import pytest
import rich.console

import empirical.progress as module
from empirical.progress import report_rounds


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
