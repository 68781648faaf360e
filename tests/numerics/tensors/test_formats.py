import os
import struct

import pytest

from numerics.tensors.formats import FORMATS, find_format, list_tensors


@pytest.mark.parametrize(
    ("name", "start", "found"),
    [
        ("W.npy", b"\x93NUMPY\x01\x00", "npy"),
        ("W.data", b"\x93NUMPY\x01\x00", "npy"),  # the first bytes alone
        ("W.npy", b"hello", "npy"),  # the name alone: its reader says what is wrong
        ("ggml-model.bin", b"GGUF\x03\x00\x00\x00", "gguf"),  # they disagree: the bytes decide
        ("model.bin", struct.pack("<I", 6), "ctranslate2"),
        ("model.bin.part1", struct.pack("<I", 6), "ctranslate2"),
        ("MODEL.GGUF", b"", "gguf"),
        ("x.npz", b"PK\x03\x04", "npz"),
        # The length of a header may look like anything.
        ("x.safetensors", b"GGUF\x00\x00\x00\x00", "safetensors"),
        ("x.safetensors", struct.pack("<Q", 6), "safetensors"),
    ],
)
def test_name_and_first_bytes(tmp_path, name, start, found):
    (tmp_path / name).write_bytes(start)
    assert find_format(tmp_path / name).name == found


def test_what_is_none_of_them(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="give .npy, .npz, safetensors, GGUF or CTranslate2"):
        list_tensors(tmp_path / "x.zip")
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(ValueError, match="give .npy$"):
        list_tensors(tmp_path / "x.gguf", FORMATS[:1])
    with pytest.raises(ValueError, match="does not exist"):
        list_tensors(tmp_path / "missing.npy")


def test_records_differ():
    for values in (
        [one.name for one in FORMATS],
        [one.title for one in FORMATS],
        [suffix for one in FORMATS for suffix in one.suffixes],
    ):
        assert len(set(values)) == len(values)
    assert all(suffix == suffix.lower() for one in FORMATS for suffix in one.suffixes)


@pytest.mark.parametrize("name", ["W.npy", "x.npz", "x.safetensors", "x.gguf", "model.bin", "x"])
def test_git_lfs_pointers_and_pipes_are_called_so(tmp_path, name):
    path = tmp_path / name
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n")
    with pytest.raises(
        ValueError, match=rf"{name} is a Git LFS pointer, not the file: run git lfs pull$"
    ):
        list_tensors(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=rf"{name} is a pipe or a device, which cannot be mapped"):
        list_tensors(path)


def test_safetensors_with_metadata_that_is_null(tmp_path):
    header = (
        b'{"__metadata__": null, "W": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}}'
    )
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<ff", 3, 4))
    found = list_tensors(path).tensors
    assert list(found) == ["W"]
    assert found["W"].rows()[:1].tolist() == [[3, 4]]
