import argparse
import pickle
import re
import zipfile

import numpy as np
import pytest
import torch

from empirical.unembeddings.torch_file import list_torch
from numerics.tensors.row_matrix import RowMatrix

W = torch.from_numpy(np.random.default_rng(0).standard_normal((2500, 6)).astype(np.float32))


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def test_nested_dictionaries(tmp_path):
    path = tmp_path / "x.pt"
    content = {
        "model": {"lm_head.weight": W, "half": W.half(), "wide": W.double()},
        "list": [W.bfloat16(), "text", None, 3.5],
        7: W.int(),
        "turned": W.T,
        "part": W[10:20, 1:3],
        "parameter": torch.nn.Parameter(W + 1),
        "sparse": W.to_sparse(),
        "nowhere": W.to("meta"),
        "empty": torch.zeros(0, 6),
    }
    torch.save(content, path)
    found = list_torch(path)
    assert found.format == "pytorch"
    expected = {
        "model.lm_head.weight": W,
        "model.half": W.half(),
        "model.wide": W.double(),
        "list.0": W.bfloat16(),
        "turned": W.T,
        "part": W[10:20, 1:3],
        "parameter": W + 1,
    }
    assert set(found.tensors) == {*expected, "7", "sparse", "nowhere", "empty"}
    for name, tensor in expected.items():
        rows = RowMatrix(found.tensors[name].rows())
        array = tensor.to(torch.float64 if name == "model.wide" else torch.float32).numpy()
        assert rows.dtype == array.dtype and (rows.n, rows.m) == array.shape, name
        assert np.array_equal(rows.read(1, rows.n), array[1:]), name
        chosen = np.random.default_rng(1).integers(0, rows.n, 2100)
        assert np.array_equal(rows.take(chosen), array[chosen]), name
    for name in ("7", "sparse", "nowhere", "empty"):
        with pytest.raises(ValueError, match="is not a matrix of floats"):
            found.tensors[name].rows()
    # Shared memory is seen; equal numbers elsewhere are another tensor.
    torch.save({"a": W, "b": W, "c": W.clone(), "d": W.T}, path)
    place = {name: x.place for name, x in list_torch(path).tensors.items()}
    assert place["a"] == place["b"] and len(set(place.values())) == 3


def test_blocks_are_copies(tmp_path):
    torch.save({"W": W}, tmp_path / "x.pt")
    rows = RowMatrix(list_torch(tmp_path / "x.pt").tensors["W"].rows())
    block = rows.read(0, 3)
    block[:] = 9
    assert np.array_equal(rows.read(0, 3), W[:3].numpy())


def test_a_bare_tensor_and_a_pickle_that_holds_itself(tmp_path):
    torch.save(W, tmp_path / "x.pt")
    assert list(list_torch(tmp_path / "x.pt").tensors) == [""]
    loop = {"W": W}
    loop["again"] = loop
    torch.save(loop, tmp_path / "x.pt")
    assert list(list_torch(tmp_path / "x.pt").tensors) == ["W"]
    torch.save({"a.b": W, "a": {"b": W}}, tmp_path / "x.pt")
    with pytest.raises(ValueError, match=r"two tensors that would both be called a\.b"):
        list_torch(tmp_path / "x.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, zipped):
    trace, path = tmp_path / "trace", tmp_path / "evil.bin"
    content = {"lm_head.weight": W, "extra": Bomb(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError) as caught:
        list_torch(path)
    assert not trace.exists()
    message = str(caught.value)
    assert "\n" not in message and "evil.bin" in message
    wanted = r"more than weights \((builtins\.)?exec\), and no code of a file is run"
    assert re.search(wanted if zipped else "older files are whole pickles", message)
    # The control: whoever unpickles this file does run it.
    torch.load(path, weights_only=False)
    assert trace.exists()


def test_a_bare_pickle_is_not_opened(tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(ValueError, match="which are not opened"):
        list_torch(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()


def test_harmless_objects_are_refused_too(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"W": W, "args": argparse.Namespace(steps=3)}, path)
    with pytest.raises(ValueError, match=r"was refused: .* \(argparse\.Namespace\)"):
        list_torch(path)
    torch.save({"W": W}, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x/constants.pkl", b"")
    with pytest.raises(ValueError, match="TorchScript program: save the state_dict"):
        list_torch(path)


def test_tensors_outside_of_the_file_are_not_read(tmp_path):
    """A pickle may rebuild a tensor from numbers of its own; those are not in a part."""

    class Rebuilt:
        def __reduce__(self):
            rebuild = torch._utils._rebuild_device_tensor_from_numpy
            return rebuild, (np.ones((4, 2), np.float32), torch.float32, "cpu", False)

    path = tmp_path / "x.pt"
    torch.save({"W": W, "other": Rebuilt()}, path)
    try:
        found = list_torch(path).tensors
    except ValueError as error:  # numpy arrays are not weights for every version of torch
        assert "was refused" in str(error)
        return
    assert found["W"].is_matrix and not found["other"].is_matrix


def test_parts_that_do_not_fit(tmp_path, monkeypatch):
    from empirical.unembeddings import torch_file

    path = tmp_path / "x.pt"
    torch.save({"W": W}, path)
    real = torch_file._read_archive
    for wrong in (lambda x: {at + 64: x[at] for at in x}, lambda x: {at: 8 for at in x}):
        monkeypatch.setattr(torch_file, "_read_archive", lambda p, wrong=wrong: wrong(real(p)))
        with pytest.raises(ValueError, match="its parts do not fit its tensors"):
            list_torch(path)


def test_truncated_and_packed_archives(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"W": W}, path)
    data = path.read_bytes()
    for cut in (0, 3, 100, len(data) // 2, len(data) - 5):
        path.write_bytes(data[:cut])
        with pytest.raises(ValueError, match=r"x\.pt is truncated, or is not a file of torch"):
            list_torch(path)
    path.write_bytes(data)
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.infolist():
            new.writestr(one.filename, old.read(one))
    with pytest.raises(ValueError, match="is packed"):
        list_torch(packed)
