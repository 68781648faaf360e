import os
import stat
from pathlib import Path

import pytest

from empirical.files import check_writable, write_atomically


def test_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "data.bin"
    write_atomically(path, b"old")

    def broken(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin"]


def test_usual_permissions(tmp_path):
    path = tmp_path / "data.bin"
    write_atomically(path, b"x")
    plain = tmp_path / "plain"
    plain.write_bytes(b"x")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_where_nothing_can_be_written(tmp_path):
    with pytest.raises(ValueError, match="is a directory"):
        check_writable(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        check_writable(tmp_path / "no" / "file")
    assert check_writable(tmp_path / "new") == tmp_path / "new"
    assert not (tmp_path / "new").exists()
    if Path("/proc/self").is_dir():
        with pytest.raises(ValueError, match="cannot write /proc/self/x"):
            check_writable("/proc/self/x")
