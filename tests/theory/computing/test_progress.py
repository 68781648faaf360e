"""What a solver shows while it works: nothing at first, one line on a terminal, lines elsewhere."""

import io
import sys
import time

import pytest

import theory.computing.progress as module
from theory.computing.progress import show_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(monkeypatch):
    """Return a function that works for a while and gives what was written."""

    def work(stream, seconds, **waits):
        for name, value in waits.items():
            monkeypatch.setattr(module, name, value)
        monkeypatch.setattr(sys, "stderr", stream)
        with pytest.raises(ZeroDivisionError), show_progress("predicting") as show:
            show("solving mean_field at m = 25")
            time.sleep(seconds)
            raise ZeroDivisionError
        return stream.getvalue()

    return work


def test_a_terminal_has_one_line_that_is_taken_away(shown):
    text = shown(Terminal(), 0.4, _DELAY=0.0, _TICK=0.05)
    *lines, last, end = text.split("\r")
    assert lines[-1].startswith("solving mean_field at m = 25 after 0 s") and len(lines) > 2
    assert "\n" not in text and last.strip() == "" and end == ""
    assert len(last) >= max(map(len, lines))  # blanks over all of it


def test_a_pipe_has_whole_lines(shown):
    lines = shown(io.StringIO(), 0.4, _EVERY=0.05).splitlines()
    assert "solving mean_field at m = 25 after 0 s" in lines and len(set(lines)) <= 2


def test_short_work_shows_nothing(shown):
    assert shown(Terminal(), 0.0) == "" and shown(io.StringIO(), 0.0) == ""
