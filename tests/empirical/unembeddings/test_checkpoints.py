import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from empirical.unembeddings.checkpoints import (
    count_slices,
    name_source,
    open_checkpoint,
    shorten,
)
from empirical.unembeddings.formats import checkpoint_formats
from empirical.unembeddings.hub import list_hub
from empirical.unembeddings.unembedding import open_unembedding
from numerics.tensors.formats import list_tensors

W = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
NAMES = ("model.embed_tokens.weight", "model.layers.0.w", "lm_head.weight")


def write_shards(folder, kind="safetensors", index=True):
    """Write one tensor to a file; return the index."""
    stem, ending = ("model", ".safetensors") if kind == "safetensors" else ("pytorch_model", ".bin")
    where = {}
    for k, name in enumerate(NAMES):
        where[name] = f"{stem}-{k + 1:05d}-of-00003{ending}"
        if kind == "safetensors":
            save_file({name: W + k}, folder / where[name])
        else:
            torch.save({name: torch.from_numpy(W + k)}, folder / where[name])
    if index:
        (folder / f"{stem}{ending}.index.json").write_text(json.dumps({"weight_map": where}))
    return where


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("kind", ["safetensors", "pytorch"])
def test_shards(tmp_path, kind, index):
    where = write_shards(tmp_path, kind, index)
    first = tmp_path / where[NAMES[0]]
    sources = [tmp_path, first, tmp_path / where[NAMES[2]], *tmp_path.glob("*.index.json")]
    for source in sources:  # any file of the set stands for the whole
        found = open_unembedding(source)
        assert (found.tensor, found.tied, found.format) == ("lm_head.weight", False, kind)
        assert Path(found.path).name == where["lm_head.weight"]
        assert np.array_equal(found.matrix.read(0, 50), W + 2)
    # A shard alone has an embedding, but the head is elsewhere: that is not a tied model.
    (tmp_path / where[NAMES[2]]).unlink()
    with pytest.raises(ValueError, match="is a part of a model|does not exist"):
        open_unembedding(first)
    assert open_unembedding(first, NAMES[0]).matrix.n == 50


def test_only_the_files_that_are_needed_are_opened(tmp_path):
    where = write_shards(tmp_path)
    (tmp_path / where[NAMES[1]]).unlink()
    (tmp_path / where[NAMES[0]]).unlink()
    assert open_unembedding(tmp_path).tensor == "lm_head.weight"
    checkpoint = open_checkpoint(tmp_path)
    with pytest.raises(ValueError, match=r"model-00002-of-00003.safetensors does not exist"):
        checkpoint.find(NAMES[1])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "is broken, it is no table in JSON"),
        ("[" * 10**5, "is broken, it is no table in JSON"),
        ("[1]", "is broken, it is no table in JSON"),
        ("{}", "has no weight_map"),
        ('{"weight_map": {"lm_head.weight": "../../etc/passwd"}}', "give names of files"),
        ('{"weight_map": {"lm_head.weight": "/etc/passwd"}}', "give names of files"),
        ('{"weight_map": {"lm_head.weight": 3}}', "give names of files"),
        ('{"weight_map": {"lm_head.weight": "model-00001-of-00003.safetensors"}}', "lacks lm_head"),
        ('{"weight_map": {"lm_head.weight": "no.safetensors"}}', "does not exist"),
    ],
)
def test_broken_indices(tmp_path, index, message):
    write_shards(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(ValueError, match=message):
        open_unembedding(tmp_path)


def test_what_a_folder_is_searched_for(tmp_path):
    with pytest.raises(ValueError, match="holds no weights of a model: give .npy, .npz"):
        open_checkpoint(tmp_path)
    inner = tmp_path / "inner"
    inner.mkdir()
    save_file({"lm_head.weight": W}, inner / "model.safetensors")
    with pytest.raises(ValueError, match=f"there are some in {inner}"):
        open_checkpoint(tmp_path)
    torch.save({"lm_head.weight": torch.zeros(3, 2)}, tmp_path / "a.pt")
    assert open_checkpoint(tmp_path).format == "pytorch"
    save_file({"lm_head.weight": W}, tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match=r"holds several models: give .*FILE of a\.pt, b\.safe"):
        open_checkpoint(tmp_path)
    torch.save({"lm_head.weight": torch.zeros(3, 2)}, tmp_path / "pytorch_model.bin")
    assert open_unembedding(tmp_path).format == "pytorch"
    save_file({"lm_head.weight": W}, tmp_path / "model.safetensors")
    assert open_unembedding(tmp_path).format == "safetensors"


def test_a_gguf_file_in_parts(tmp_path):
    gguf = pytest.importorskip("gguf")
    for k, name in enumerate(("token_embd.weight", "output.weight")):
        writer = gguf.GGUFWriter(tmp_path / f"tiny-{k + 1:05d}-of-00002.gguf", "llama")
        writer.add_uint16("split.count", 2)
        writer.add_tensor(name, W + k)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    first, second = sorted(tmp_path.iterdir())
    for source in (tmp_path, first, second):
        found = open_unembedding(source)
        assert (found.tensor, found.path) == ("output.weight", str(second))
        assert np.array_equal(found.matrix.read(0, 50), W + 1)
    second.unlink()
    with pytest.raises(ValueError, match="is a part of a model"):
        open_unembedding(first)
    first.rename(tmp_path / "alone.gguf")
    with pytest.raises(ValueError, match="is a part of a model"):
        open_unembedding(tmp_path / "alone.gguf")


def test_the_only_matrix_at_hand_is_not_the_only_one(tmp_path):
    save_file({"a": W}, tmp_path / "x-00001-of-00002.safetensors")
    index = {"weight_map": {k: f"x-0000{j}-of-00002.safetensors" for j, k in ((1, "a"), (2, "b"))}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"no tensor that is known .*: a \(50 x 8, F32\)"):
        open_unembedding(tmp_path)
    assert open_unembedding(tmp_path, "a").matrix.n == 50


def test_slices_through_every_tensor_are_refused(tmp_path):
    for k in range(2):
        torch.save({"output.weight": torch.zeros(4, 2)}, tmp_path / f"consolidated.{k:02d}.pth")
    with pytest.raises(ValueError, match="one of 2 slices through every tensor"):
        open_checkpoint(tmp_path / "consolidated.00.pth")


def test_files_of_no_format(tmp_path):
    for name, data, message in (
        (
            "x.txt",
            b"hello, world",
            "is of no format that is read: give .npy, .npz, safetensors, GGUF",
        ),
        ("x.npz", b"PK\x03\x04" + bytes(99), "cannot be read as a .npz file"),
        ("x.bin", b"hello, world", "is not a CTranslate2 model"),
        ("x.bin", b"PK\x03\x04" + bytes(99), "is truncated, or is not a file of torch.save"),
        ("x.safetensors", b"", "is truncated, or is not a safetensors file"),
        ("x.gguf", b"hello, world, hello", "is not a GGUF file"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=message):
            list_tensors(tmp_path / name, checkpoint_formats())
    with pytest.raises(ValueError, match="does not exist: give a file, a folder or hf://"):
        open_checkpoint(tmp_path / "missing.gguf")


def test_names_for_tables():
    for path, name in (
        ("/m/pythia-70m/model.safetensors", "pythia-70m"),
        ("/m/pythia-70m/model-00001-of-00003.safetensors", "pythia-70m"),
        ("/m/pythia-70m/pytorch_model.bin.index.json", "pythia-70m"),
        ("/m/whisper_base/data/model.bin.part1", "whisper_base"),
        ("/m/SmolLM2-135M.Q8_0.gguf", "SmolLM2-135M.Q8_0"),
        ("/m/a.b/W.npy", "W"),
        ("/c/models--owner--some-name/snapshots/0f/model.safetensors", "owner/some-name"),
        ("/model.bin", "model"),
    ):
        assert name_source(Path(path)) == name
    assert shorten("abc", most=2) == "a, b and 1 more" and shorten([]) == "none"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as listing and fetching need; notes what was fetched."""

    folder: Path
    fetched: list

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def log_message(self, *rest):
        pass

    def answer(self):
        path = self.path.partition("?")[0]
        revision = "v2" if "/v2" in path else "main"
        headers = {}
        file = self.folder / path.rpartition("/")[2]
        if path == f"/api/models/owner/tiny/tree/{revision}":
            entries = [
                {"type": "file", "path": x.name, "size": x.stat().st_size, "oid": "0" * 40}
                for x in self.folder.iterdir()
            ]
            status, body = 200, json.dumps(entries).encode()
            headers["Content-Type"] = "application/json"
        elif path.startswith(f"/owner/tiny/resolve/{revision}/") and file.is_file():
            status, body = 200, file.read_bytes()
            headers = {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": "a" * 40}
            if self.command == "GET":
                self.fetched.append((revision, file.name))
        else:
            status, body, headers = 404, b"{}", {"X-Error-Code": "RepoNotFound"}
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


HUB_CODE = """
import json, sys
from empirical.unembeddings.unembedding import open_unembedding
for source in sys.argv[1:]:
    try:
        found = open_unembedding(*source.split("#"))
        print(json.dumps([str(found), found.path, float(found.matrix.read(0, 1)[0, 0])]))
    except ValueError as error:
        print(json.dumps(["ValueError", str(error), 0]))
"""


def test_a_repository_of_a_hub(tmp_path):
    """Against the real client and a server of our own; the real hub is out of reach here."""
    pytest.importorskip("huggingface_hub")
    folder = tmp_path / "repository"
    folder.mkdir()
    where = write_shards(folder)
    Hub.folder, Hub.fetched = folder, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_TOKEN": "",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def run(*sources, **more):
        command = [sys.executable, "-c", HUB_CODE, *sources]
        shown = subprocess.run(
            command, env=environment | more, capture_output=True, text=True, check=True
        )
        return [json.loads(line) for line in shown.stdout.splitlines()]

    try:
        plain, missing, no_file, revised, named = run(
            "hf://owner/tiny",
            "hf://owner/other",
            "hf://owner/tiny/no.gguf",
            f"hf://owner/tiny@v2#{NAMES[0]}",
            f"hf://owner/tiny/{where[NAMES[1]]}#{NAMES[1]}",
        )
    finally:
        server.shutdown()
        server.server_close()
    assert plain[0] == "owner/tiny: 50 x 8 (lm_head.weight, safetensors)"
    assert plain[2] == pytest.approx(W[0, 0] + 2)
    assert missing[0] == "ValueError" and "\n" not in missing[1]
    assert "hf://owner/other cannot be fetched: RepositoryNotFoundError" in missing[1]
    assert no_file[1] == "hf://owner/tiny/no.gguf: there is no such file in owner/tiny"
    assert revised[0] == "owner/tiny: 50 x 8 (model.embed_tokens.weight, safetensors)"
    assert named[2] == pytest.approx(W[0, 0] + 1)
    # Of three shards, each time the one that holds the tensor.
    files = [name for _, name in Hub.fetched if name.endswith(".safetensors")]
    assert files == [where[NAMES[k]] for k in (2, 0, 1)]
    assert {revision for revision, _ in Hub.fetched} == {"main", "v2"}
    # What was fetched once is found again without the hub.
    again, gone = run("hf://owner/tiny", "hf://owner/other", HF_HUB_OFFLINE="1")
    assert again == plain
    assert "hf://owner/other cannot be fetched: OfflineModeIsEnabled" in gone[1]


@pytest.mark.parametrize("source", ["hf://", "hf://gpt2", "hf:///x/y", "hf://a/b@", "hf://a/b c"])
def test_sources_that_are_no_repository(source):
    with pytest.raises(ValueError, match="give hf://owner/name"):
        list_hub(source)


def test_without_the_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"pip install 'superscale\[hub\]'"):
        open_unembedding("hf://owner/tiny")


def test_shards_that_are_missing_are_named(tmp_path):
    where = write_shards(tmp_path, index=False)
    first, second, third = where.values()
    (tmp_path / third).unlink()
    (tmp_path / second).unlink()
    for source in (tmp_path, tmp_path / first):
        for tensor in (None, "lm_head.weight"):
            with pytest.raises(ValueError, match=rf"\({second}, {third} missing\)"):
                open_unembedding(source, tensor)
    # One that is not the first is a part of a model as well.
    (tmp_path / first).rename(tmp_path / second)
    with pytest.raises(ValueError, match=rf"\({first}, {third} missing\)"):
        open_unembedding(tmp_path)


def test_files_that_an_index_names_and_that_are_missing(tmp_path):
    _, second, third = write_shards(tmp_path).values()
    (tmp_path / third).unlink()
    (tmp_path / second).unlink()
    message = rf"{third} does not exist: of the 3 files that the index names, {second}, {third} mis"
    with pytest.raises(ValueError, match=message):
        open_unembedding(tmp_path)


SLICES = {
    # Llama 1 and 2 cut the embedding by columns, Llama 3 by rows; the head by rows.
    "columns": ({"norm.weight": (8,), "tok_embeddings.weight": (50, 4)}, {}, 2),
    "head": ({"tok_embeddings.weight": (50, 8), "output.weight": (25, 8)}, {"vocab_size": -1}, 2),
    "query": ({"norm.weight": (8,), "layers.0.attention.wq.weight": (1, 8)}, {}, 8),
    "rows": ({"tok_embeddings.weight": (50, 8)}, {"dim": 8, "vocab_size": 200}, 4),
    "width": ({"tok_embeddings.weight": (50, 4)}, {"dim": 8}, 2),
    "whole": (
        {
            "norm.weight": (8,),
            "tok_embeddings.weight": (50, 8),
            "output.weight": (50, 8),
            "layers.0.attention.wq.weight": (8, 8),
        },
        {"dim": 8, "vocab_size": 50},
        1,
    ),
    # Queries may be narrower than the model.
    "heads": ({"layers.0.attention.wq.weight": (4, 8)}, {"dim": 8, "head_dim": 2}, 1),
    "nonsense": ({"tok_embeddings.weight": (50, 8)}, {"dim": "8", "vocab_size": [1]}, 1),
}


@pytest.mark.parametrize("case", SLICES)
def test_one_of_several_slices_alone(tmp_path, case):
    shapes, params, count = SLICES[case]
    assert count_slices(shapes, params) == count
    path = tmp_path / "consolidated.00.pth"
    torch.save({name: torch.zeros(shape) for name, shape in shapes.items()}, path)
    (tmp_path / "params.json").write_text(json.dumps(params))
    if count == 1:
        assert open_checkpoint(path).complete
        return
    missing = ", ".join(f"consolidated.{k:02d}.pth" for k in range(1, count))
    for source in (path, tmp_path):
        with pytest.raises(ValueError, match=rf"is one of {count} slices .*\({missing} missing\)"):
            open_checkpoint(source)
    # The number in a name says that there are others.
    path.rename(tmp_path / "consolidated.01.pth")
    with pytest.raises(ValueError, match=r"is one of \d slices .*\(consolidated.00.pth"):
        open_checkpoint(tmp_path)


def test_pointers_and_pipes_in_place_of_models(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\n"
    write_shards(tmp_path)
    for name in ("model-00003-of-00003.safetensors", "model.safetensors.index.json"):
        (tmp_path / name).write_text(pointer)
        with pytest.raises(ValueError, match=f"{name} is a Git LFS pointer, not the file"):
            open_unembedding(tmp_path)
    os.mkfifo(tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r"x\.safetensors is a pipe or a device"):
        open_unembedding(tmp_path / "x.safetensors")
