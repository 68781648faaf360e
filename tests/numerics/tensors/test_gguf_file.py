import builtins
import struct

import numpy as np
import pytest

from numerics.tensors.gguf_file import list_gguf
from numerics.tensors.row_matrix import RowMatrix

gguf = pytest.importorskip("gguf")
Type = gguf.GGMLQuantizationType

W = np.random.default_rng(0).standard_normal((70, 256)).astype(np.float32)


def write(path, tensors, architecture="llama", **values):
    """Write by the library's own writer; a tensor is an array, or (bytes of rows, type)."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_token_list(["<s>", "a", "bc"] * 20)
    writer.add_token_scores([0.5] * 60)
    writer.add_chat_template("x" * 70_000)
    for key, value in values.items():
        writer.add_custom_alignment(value) if key == "alignment" else writer.add_uint16(key, value)
    for name, tensor in tensors.items():
        data, kind = tensor if isinstance(tensor, tuple) else (tensor, None)
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read_all(path, name):
    return RowMatrix(list_gguf(path).tensors[name].rows())


@pytest.mark.parametrize("alignment", [32, 64, 1024])
def test_plain_floats(tmp_path, alignment):
    bits = (W.view(np.uint32) >> 16).astype(np.uint16)
    tensors = {
        "norm.weight": W[0],
        "a": W,
        "b": W.astype(np.float16),
        "c": W.astype(np.float64),
        "d": (bits.view(np.uint8), Type.BF16),
        "e": np.arange(6, dtype=np.int32).reshape(2, 3),
    }
    path = write(tmp_path / "x.gguf", tensors, alignment=alignment)
    found = list_gguf(path)
    assert (found.format, found.kind, found.complete) == ("gguf", "llama", True)
    assert {name: x.shape for name, x in found.tensors.items()} == {
        "norm.weight": (256,),
        **dict.fromkeys("abcd", (70, 256)),
        "e": (2, 3),
    }
    expected = {"a": W, "b": W.astype(np.float16), "c": W.astype(np.float64)}
    expected["d"] = (bits.astype(np.uint32) << 16).view(np.float32)
    for name, array in expected.items():
        rows = read_all(path, name)
        assert np.array_equal(rows.read(3, 70), array[3:].astype(rows.dtype)), name
        assert np.array_equal(rows.take(np.array([9, 2])), array[[9, 2]].astype(rows.dtype))
    assert not found.tensors["e"].is_matrix and found.tensors["e"].dtype == "I32"


def decode_q8_0(block):
    """32 int8 after a half-precision scale (ggml-common.h, block_q8_0)."""
    scale = np.frombuffer(block[:2], "<f2").astype(np.float32)
    return scale * np.frombuffer(block[2:], np.int8)


def decode_q4_0(block):
    """The low halves of 16 bytes, then the high ones, minus 8."""
    scale, q = np.frombuffer(block[:2], "<f2").astype(np.float32), np.frombuffer(block[2:], "u1")
    return scale * (np.concatenate([q & 15, q >> 4]).astype(np.float32) - 8)


def decode_q4_k(block):
    """Eight groups of 32, each with a 6-bit scale and minimum (ggml-quants.c, Q4_K)."""
    d, least = np.frombuffer(block[:4], "<f2").astype(np.float32)
    packed, q = block[4:16], np.frombuffer(block[16:], "u1")
    out = []
    for j in range(8):
        if j < 4:
            scale, minimum = packed[j] & 63, packed[j + 4] & 63
        else:
            scale = (packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4)
            minimum = (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4)
        quarter = q[32 * (j // 2) : 32 * (j // 2 + 1)]
        nibble = quarter >> 4 if j % 2 else quarter & 15
        out.append(d * np.float32(scale) * nibble - least * np.float32(minimum))
    return np.concatenate(out)


def decode_q6_k(block):
    """Sixteen groups of 16 with int8 scales; 4 low bits and 2 high bits apart (Q6_K)."""
    scales, d = np.frombuffer(block[192:208], "i1"), np.frombuffer(block[208:], "<f2")
    out = np.empty(256, np.float32)
    for half in range(2):
        low, high = block[64 * half :][:64], block[128 + 32 * half :][:32]
        for i in range(32):
            parts = (
                (low[i] & 15, 0),
                (low[i + 32] & 15, 2),
                (low[i] >> 4, 4),
                (low[i + 32] >> 4, 6),
            )
            for k, (nibble, shift) in enumerate(parts):
                value = (nibble | ((high[i] >> shift & 3) << 4)) - 32
                scale = np.float32(d[0]) * scales[8 * half + 2 * k + i // 16]
                out[128 * half + 32 * k + i] = scale * np.float32(value)
    return out


DECODERS = {
    "Q8_0": (decode_q8_0, (0,)),
    "Q4_0": (decode_q4_0, (0,)),
    "Q4_K": (decode_q4_k, (0, 2)),
    "Q6_K": (decode_q6_k, (208,)),
}


@pytest.mark.parametrize("name", DECODERS)
def test_quantised_rows_against_a_decoder_by_the_letter(tmp_path, name):
    decode, halves = DECODERS[name]
    entries, size = gguf.GGML_QUANT_SIZES[Type[name]]
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (33, 512 // entries, size), dtype=np.uint8)
    for at in halves:  # scales: any bits would include NaN
        scales = rng.uniform(-1, 1, blocks.shape[:2]).astype(np.float16)
        blocks[:, :, at : at + 2] = scales[:, :, None].view(np.uint8).reshape(*scales.shape, 2)
    path = write(tmp_path / "x.gguf", {"W": (blocks.reshape(33, -1), Type[name]), "b": W[0]})
    rows = read_all(path, "W")
    assert (rows.n, rows.m, list_gguf(path).tensors["W"].dtype) == (33, 512, name)
    expected = np.stack([np.concatenate([decode(bytes(x)) for x in row]) for row in blocks])
    assert np.allclose(rows.read(0, 33), expected, rtol=1e-6, atol=1e-6)
    assert np.allclose(rows.take(np.array([32, 1])), expected[[32, 1]], rtol=1e-6, atol=1e-6)
    assert np.abs(expected).max() > 1


TYPES = [x for x in ("Q8_0", "Q4_0", "Q4_1", "Q5_1", "TQ2_0", "MXFP4") if x in Type.__members__]


@pytest.mark.parametrize("name", TYPES)
def test_every_type_that_the_library_decodes(tmp_path, name):
    packed = gguf.quants.quantize(W, Type[name])
    path = write(tmp_path / "x.gguf", {"W": (packed, Type[name])})
    expected = gguf.quants.dequantize(packed, Type[name])
    assert np.array_equal(read_all(path, "W").read(5, 9), expected[5:9])


def test_a_type_that_is_not_decoded(tmp_path):
    data = np.zeros((2, gguf.GGML_QUANT_SIZES[Type.Q8_K][1]), np.uint8)
    path = write(tmp_path / "x.gguf", {"W": (data, Type.Q8_K)})
    with pytest.raises(ValueError, match="W has dtype type 15 and shape .2, 256.: it is not"):
        list_gguf(path).tensors["W"].rows()


def test_without_the_package(tmp_path, monkeypatch):
    tensors = {"W": (gguf.quants.quantize(W, Type.Q8_0), Type.Q8_0), "b": W}
    path = write(tmp_path / "x.gguf", tensors)
    from numerics.tensors import gguf_file

    gguf_file._find_quantisation.cache_clear()
    real = builtins.__import__

    def fail(name, *rest):
        if name.split(".")[0] == "gguf":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fail)
    found = list_gguf(path).tensors
    assert np.array_equal(RowMatrix(found["b"].rows()).read(0, 70), W)
    with pytest.raises(ValueError, match=r"pip install 'superscale\[gguf\]'"):
        found["W"].rows()


def test_truncated_tensors(tmp_path):
    packed = gguf.quants.quantize(W, Type.Q8_0)
    path = write(tmp_path / "x.gguf", {"a": W, "W": (packed, Type.Q8_0)})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 40])
    found = list_gguf(path).tensors
    assert np.array_equal(RowMatrix(found["a"].rows()).read(0, 2), W[:2])
    with pytest.raises(ValueError, match="truncated: W is not all there"):
        found["W"].rows()


def test_parts_of_a_split_file_are_not_complete(tmp_path):
    assert not list_gguf(write(tmp_path / "x.gguf", {"a": W}, **{"split.count": 3})).complete
    assert list_gguf(write(tmp_path / "y.gguf", {"a": W}, **{"split.count": 1})).complete


def head(version=3, tensors=1, values=0):
    return struct.pack("<4sIQQ", b"GGUF", version, tensors, values)


def text(word):
    return struct.pack("<Q", len(word)) + word


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"GGUF", "truncated"),
        (b"GGML" + bytes(20), "is not a GGUF file"),
        (head(version=1), "GGUF version 1: versions 2 and 3"),
        (head(version=3 << 24), "big-endian"),
        (head(tensors=2**63), "truncated"),
        (head() + text(b"") + bytes(100), "a name is empty or there twice"),
        (head() + struct.pack("<Q", 2**62) + bytes(100), "a name of 4611686018427387904 bytes"),
        (head() + text(b"W") + struct.pack("<I", 2**31), "W has 2147483648 axes"),
        (head(values=1) + text(b"k") + struct.pack("<I", 13), "a value of type 13"),
        (
            head(values=1) + text(b"k") + struct.pack("<IIQ", 9, 0, 2**60),
            "truncated",
        ),
        (
            head(values=1) + text(b"k") + struct.pack("<IIQ", 9, 8, 2**60) + bytes(99),
            "1152921504606846976 values of type 8",
        ),
        (
            head(values=1) + text(b"general.alignment") + struct.pack("<II", 4, 0)
            + text(b"W") + struct.pack("<IQQIQ", 2, 2, 1, 0, 0),
            "general.alignment = 0",
        ),
        (
            head() + text(b"W") + struct.pack("<IQQIQ", 2, 33, 1, 8, 0) + bytes(99),
            "W has 33 columns, not a multiple of the 32 of Q8_0",
        ),
    ],
)  # fmt: skip
def test_broken_headers(tmp_path, data, message):
    path = tmp_path / "x.gguf"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        list_gguf(path)
