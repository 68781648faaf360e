import errno
import os
import stat
from pathlib import Path

import pytest

from numerics.files import check_writable, write_atomically

WRITERS = (check_writable, lambda path: write_atomically(path, b"new"))


def test_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "data.bin"
    write_atomically(path, b"old")

    def broken(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(path, b"new and longer")
    assert caught.value.errno == errno.ENOSPC and str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin"]


def test_usual_permissions(tmp_path):
    path = tmp_path / "data.bin"
    write_atomically(path, b"x")
    plain = tmp_path / "plain"
    plain.write_bytes(b"x")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_the_mode_of_an_old_file_is_kept(tmp_path, mode):
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root gives files away")
def test_the_owner_of_an_old_file_is_kept(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    os.chown(path, 2000, 2000)
    write_atomically(path, b"new")
    assert path.stat().st_uid == 2000


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("relative", [True, False])
def test_symbolic_links_are_followed(tmp_path, there, relative):
    folder = tmp_path / "store"
    folder.mkdir()
    target = folder / "data.bin"
    if there:
        target.write_bytes(b"old")
    link, second = tmp_path / "link", tmp_path / "second"
    link.symlink_to(Path("store/data.bin") if relative else target)
    second.symlink_to(link)
    assert check_writable(second) == second
    write_atomically(second, b"new")
    assert second.is_symlink() and link.is_symlink() and target.read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["data.bin", "link", "second", "store"]


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_no_regular_file_is_refused_and_stays(tmp_path, write):
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    for path in (fifo, link):
        with pytest.raises(ValueError, match=f"cannot write {path}: it is a device, pipe"):
            write(path)
    assert stat.S_ISFIFO(fifo.stat().st_mode) and link.is_symlink()
    for name in ("/dev/full", "/dev/null", "/dev/stdout", "/dev/fd/1", "/dev/new"):
        with pytest.raises(ValueError, match="it is a device, pipe or socket"):
            write(name)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@pytest.mark.parametrize("write", WRITERS)
def test_where_nothing_can_be_written(tmp_path, write):
    loop, lost = tmp_path / "loop", tmp_path / "lost"
    loop.symlink_to(loop)
    lost.symlink_to(tmp_path / "no" / "file")
    for path, message in [
        (tmp_path, "is a directory"),
        (tmp_path / "no" / "file", "no does not exist"),
        (lost, "no does not exist"),
        (loop, "cannot write .*loop"),
        (tmp_path / ("x" * 300), "File name too long"),
    ]:
        with pytest.raises(ValueError, match=message):
            write(path)
    assert loop.is_symlink() and lost.is_symlink() and len(list(tmp_path.iterdir())) == 2


def test_looking_leaves_nothing(tmp_path):
    assert check_writable(tmp_path / "new") == tmp_path / "new"
    assert list(tmp_path.iterdir()) == []
    if Path("/proc/self").is_dir():
        with pytest.raises(ValueError, match="cannot write /proc/self/x"):
            check_writable("/proc/self/x")


def test_a_name_as_long_as_names_may_be(tmp_path):
    path = tmp_path / ("é" * 127)
    write_atomically(path, b"x")
    assert path.read_bytes() == b"x"
