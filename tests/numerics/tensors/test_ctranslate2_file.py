import struct

import numpy as np
import pytest

from numerics.tensors.ctranslate2_file import list_ctranslate2
from numerics.tensors.row_matrix import RowMatrix

W = np.random.default_rng(0).standard_normal((40, 24)).astype(np.float32)
TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4, "bfloat16": 5}


def text(word):
    return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"


def variable(name, array, kind=None):
    kind = TYPES[kind or array.dtype.name]
    shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    return text(name) + shape + struct.pack("<BI", kind, array.nbytes) + array.tobytes()


def model(variables, aliases=None, version=6, spec="TransformerDecoderSpec"):
    """Write a model by hand, as model_spec.py of ctranslate2 4.8 does."""
    body = [struct.pack("<I", version), text(spec), struct.pack("<II", 8, len(variables))]
    body += variables
    body.append(struct.pack("<I", len(aliases or {})))
    body += [text(one) + text(other) for one, other in (aliases or {}).items()]
    return b"".join(body)


def quantise():
    scale = (127 / np.abs(W).max(axis=1)).astype(np.float32)
    return np.rint(W * scale[:, None]).astype(np.int8), scale


def test_the_layout_by_hand(tmp_path):
    q, scale = quantise()
    ten = np.float32(2**10 / np.abs(W).max())
    bits = (W.view(np.uint32) >> 16).astype(np.uint16)
    path = tmp_path / "model.bin"
    path.write_bytes(
        model(
            [
                variable("decoder/alibi", np.int8(1).reshape(())),
                variable("a/weight", q),
                variable("a/weight_scale", scale),
                variable("b/weight", np.rint(W * ten).astype(np.int16)),
                variable("b/weight_scale", ten.reshape(())),
                variable("c/weight", W.astype(np.float16)),
                variable("d/weight", bits, "bfloat16"),
                variable("e/weight", W),
                variable("f/weight", np.zeros((2, 2), np.int32)),
                variable("g/weight", q),
            ],
            {"z/weight": "a/weight", "y/weight": "nowhere"},
        )
    )
    found = list_ctranslate2(path)
    assert (found.format, found.complete, found.kind) == (
        "ctranslate2",
        True,
        "TransformerDecoderSpec",
    )
    expected = {
        "a/weight": q / scale[:, None],
        "z/weight": q / scale[:, None],
        "b/weight": np.rint(W * ten).astype(np.int16) / ten,
        "c/weight": W.astype(np.float16),
        "d/weight": (bits.astype(np.uint32) << 16).view(np.float32),
        "e/weight": W,
    }
    for name, array in expected.items():
        rows = RowMatrix(found.tensors[name].rows())
        assert np.array_equal(rows.read(1, 40), array[1:].astype(np.float32)), name
        assert np.array_equal(rows.take(np.array([7, 3])), array[[7, 3]].astype(np.float32)), name
    assert found.tensors["z/weight"].place == found.tensors["a/weight"].place
    assert found.tensors["z/weight"].name == "a/weight" and "y/weight" not in found.tensors
    # Packed integers, and integers whose scale is missing, are not read as numbers.
    for name in ("f/weight", "g/weight", "decoder/alibi"):
        with pytest.raises(ValueError, match="is not a matrix of floats"):
            found.tensors[name].rows()


@pytest.mark.parametrize(
    ("quantization", "dtype", "worst"),
    [
        (None, "float32", 0),
        ("float16", "float16", 2**-11),
        ("bfloat16", "bfloat16", 2**-8),
        ("int16", "int16", 2**-10),
        ("int8", "int8", 1 / 254),
        ("int8_float16", "int8", 1 / 254),
    ],
)
def test_what_the_converter_writes(tmp_path, quantization, dtype, worst):
    pytest.importorskip("ctranslate2")
    from ctranslate2.specs import common_spec, model_spec

    class Decoder(model_spec.LayerSpec):
        def __init__(self):
            self.embeddings = common_spec.EmbeddingsSpec()
            self.projection = common_spec.LinearSpec()

    class Tiny(model_spec.LanguageModelSpec):
        def __init__(self):
            super().__init__()
            self.decoder = Decoder()

        @property
        def name(self):
            return "TinySpec"

        def get_vocabulary_size(self):
            return 40

    spec = Tiny()
    spec.register_vocabulary([str(k) for k in range(40)])
    spec.decoder.embeddings.weight = W.copy()
    spec.decoder.projection.weight = W.copy()
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(tmp_path))
    found = list_ctranslate2(tmp_path / "model.bin")
    assert found.kind == "TinySpec"
    # The two are equal, so the converter keeps one and makes the other its alias.
    assert found.tensors["decoder/projection/weight"].name == "decoder/embeddings/weight"
    tensor = found.tensors["decoder/projection/weight"]
    assert tensor.dtype == dtype
    read = RowMatrix(tensor.rows()).read(0, 40)
    error = np.abs(read - W).max(axis=1) / np.abs(W).max(axis=1)
    if quantization == "int16":
        error *= np.abs(W).max(axis=1) / np.abs(W).max()
    assert error.max() <= worst * 1.001
    assert worst == 0 or error.max() > worst / 8  # the bound is not an idle one


def test_the_first_part_of_a_split_file(tmp_path):
    data = model(
        [variable("a/weight", W), variable("b/weight", W + 1), variable("c/weight", W + 2)],
        {"z/weight": "a/weight"},
    )
    first = data.index(b"b/weight") + 100
    part = tmp_path / "model.bin.part1"
    part.write_bytes(data[:first])
    found = list_ctranslate2(part)
    assert list(found.tensors) == ["a/weight", "b/weight"] and not found.complete
    assert np.array_equal(RowMatrix(found.tensors["a/weight"].rows()).read(0, 40), W)
    with pytest.raises(ValueError, match="truncated: b/weight is not all there"):
        found.tensors["b/weight"].rows()
    # The same bytes under a whole file's name are a truncated file.
    whole = tmp_path / "model.bin"
    whole.write_bytes(data[:first])
    with pytest.raises(ValueError, match=r"model\.bin is truncated"):
        list_ctranslate2(whole)
    second = tmp_path / "model.bin.part2"
    second.write_bytes(data[first:])
    with pytest.raises(ValueError, match="or not the first part of one"):
        list_ctranslate2(second)


@pytest.mark.parametrize("version", [4, 5, 6])
def test_versions(tmp_path, version):
    path = tmp_path / "model.bin"
    path.write_bytes(model([variable("a/weight", W)], version=version))
    assert RowMatrix(list_ctranslate2(path).tensors["a/weight"].rows()).n == 40


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (model([], version=3), "is not a CTranslate2 model of binary version 4 to 6"),
        (b"\x06\0\0\0\x03\0abc" + bytes(8), "header is broken"),
        (model([variable("a", W), variable("a", W)]), "a is there twice"),
        (model([variable("a", W.astype(np.int8), "float32")]), "a does not fill its place"),
        (model([variable("a", W)])[:-4].replace(struct.pack("<BI", 0, W.nbytes),
         struct.pack("<BI", 9, W.nbytes)), "a does not fill its place"),
        (model([variable("a", W)])[:-4], "truncated"),
        (b"\x06\0\0", "truncated"),
    ],
)  # fmt: skip
def test_broken_files(tmp_path, data, message):
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        list_ctranslate2(path)
