"""The files of a model: one file, a folder with shards, or a repository of the Hugging Face hub.

``open_checkpoint(source)`` returns a ``Checkpoint`` with ``names`` and ``find(name)``: a file is
opened, and from the hub fetched, only when a tensor in it is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from empirical.unembeddings.formats import checkpoint_formats
from empirical.unembeddings.hub import list_hub
from numerics.tensors.formats import list_tensors, name_formats
from numerics.tensors.stored import StoredTensor, TensorFile, check_file, show

# What a folder is searched for, in the order of transformers; then the one file of CTranslate2.
_MAIN = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "model.bin",
    "model.bin.part1",
)
# Endings that other files in the folder of a model have as well: training arguments, optimizer
# states, arrays of any kind. Such a file is opened if it is named.
_AMBIGUOUS = (".bin", ".ckpt", ".npy", ".npz")
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.\w+)")
# The original Llama files: each holds a slice of every tensor.
_SLICE = re.compile(r"consolidated\.\d\d\.pth")
# Names that say nothing of the model.
_PLAIN = {"model", "pytorch_model", "consolidated", "models", "data", "weights", "main", ""}


class Checkpoint:
    """The tensors of a model over one or more files, each opened when it is needed.

    Attributes
    ----------
    name : str
        A short name.
    config : dict
        What config.json says; empty without one.
    is_local : bool
        Whether every file is at hand, so that looking costs nothing.
    """

    def __init__(
        self,
        name: str,
        where: str,
        files: list[str],
        main: str,
        fetch: Callable[[str], Path],
        is_local: bool,
    ) -> None:
        self.name, self.where, self.is_local = name, where, is_local
        self._fetch = fetch
        self._opened: dict[str, TensorFile] = {}
        self._index: dict[str, str] | None = None
        self.complete = True
        self.missing: tuple[str, ...] = ()
        shard = _SHARD.fullmatch(main)
        if _SLICE.fullmatch(main):
            self._refuse_slices(main, files)
        # Beside a file of another name, a config.json may be that of something else.
        has_config = "config.json" in files and (shard is not None or main in _MAIN)
        self.config = self._read_json("config.json") if has_config else {}
        if shard and f"{shard[1]}{shard[4]}.index.json" in files:
            main = f"{shard[1]}{shard[4]}.index.json"
        if main.endswith(".index.json"):
            self._index = self._read_index(main)
            self._files = sorted(set(self._index.values()))
        elif shard and int(shard[3]) > 1:
            parts = range(1, int(shard[3]) + 1)
            wanted = [f"{shard[1]}-{k:05d}-of-{shard[3]}{shard[4]}" for k in parts]
            self._files = [one for one in wanted if one in files]
            self.missing = tuple(one for one in wanted if one not in files)
            self.complete = not self.missing
        else:
            self._files = [main]
            self.complete = self._open(main).complete

    def _refuse_slices(self, main: str, files: list[str]) -> None:
        """Raise if a file of original Llama is one of several slices, and say which are missing."""
        slices = [one for one in files if _SLICE.fullmatch(one)]
        params = self._read_json("params.json") if "params.json" in files else {}
        last = max(int(one[13:15]) for one in slices)
        # From the hub nothing is fetched where names alone tell.
        look = self.is_local or last == 0
        tensors = self._open(main).tensors if look else {}
        shapes = {name: one.shape for name, one in tensors.items()}
        count = max(count_slices(shapes, params), last + 1)
        if count == 1:
            return
        wanted = [f"consolidated.{k:02d}.pth" for k in range(count)]
        missing = [one for one in wanted if one not in slices]
        raise ValueError(
            f"{self.where} is one of {count} slices through every tensor"
            + (f" ({shorten(missing)} missing)" if missing else "")
            + ", which are not put together: give the model in one piece, or in shards"
        )

    def say_missing(self) -> str:
        """Return which shards are missing, for the end of a message."""
        return f" ({shorten(self.missing)} missing)" if self.missing else ""

    @property
    def names(self) -> list[str]:
        """Names of all tensors."""
        if self._index is not None:
            return list(self._index)
        return [name for one in self._files for name in self._open(one).tensors]

    @property
    def kind(self) -> str:
        """The kind of model, where an opened file says it."""
        return next((one.kind for one in self._opened.values()), "")

    def find(self, name: str) -> StoredTensor:
        """Return a tensor, after opening its file.

        Raises
        ------
        ValueError
            If there is none of this name, or its file is missing or broken.
        """
        if self._index is not None:
            files = [self._index[name]] if name in self._index else []
        else:
            files = [one for one in self._files if name in self._open(one).tensors]
        if not files:
            known = [x for x in self.names if len(self._files) > 1 or self.find(x).is_matrix]
            raise ValueError(
                f"{self.where} has no tensor {name!r}: it has {shorten(map(show, known))}"
                + self.say_missing()
            )
        if name not in self._open(files[0]).tensors:
            raise ValueError(f"{self.where}: {files[0]} lacks {show(name)}, which the index has")
        return self._open(files[0]).tensors[name]

    def peek(self, name: str) -> StoredTensor | None:
        """Return a tensor if its file is at hand, or else nothing."""
        if self._index is None or (file := self._index[name]) in self._opened:
            return self.find(name)
        return self.find(name) if self.is_local and self._fetch(file).is_file() else None

    def beside(self, tensor: StoredTensor) -> Mapping[str, StoredTensor]:
        """Return the tensors in the file of one that was found, by name."""
        tables = (one.tensors for one in self._opened.values())
        return next(x for x in tables if any(y.path == tensor.path for y in x.values()))

    @property
    def format(self) -> str:
        """Format of the files that were opened."""
        return next(one.format for one in self._opened.values())

    def describe(self, names: list[str]) -> str:
        """Say names, and where that is known shapes, in one line."""
        found = [self.peek(name) for name in names]
        said = [show(x) if one is None else str(one) for x, one in zip(names, found, strict=True)]
        return shorten(said)

    def _open(self, file: str) -> TensorFile:
        if file not in self._opened:
            path = self._fetch(file)
            if self._index is not None and self.is_local and not path.exists():
                absent = [one for one in self._files if not self._fetch(one).exists()]
                raise ValueError(
                    f"{path} does not exist: of the {len(self._files)} files that the index names, "
                    f"{shorten(absent)} missing; give all files"
                )
            self._opened[file] = list_tensors(path, checkpoint_formats())
        return self._opened[file]

    def _read_json(self, file: str) -> dict[str, Any]:
        path = self._fetch(file)
        check_file(path)
        try:
            found = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ValueError(f"{self.where}: {file} is broken, it is no table in JSON")
        return found

    def _read_index(self, file: str) -> dict[str, str]:
        index = self._read_json(file).get("weight_map")
        if not isinstance(index, dict) or not index:
            raise ValueError(f"{self.where}: {file} has no weight_map")
        for shard in index.values():
            # An index must not lead out of its folder.
            if not isinstance(shard, str) or shard in ("", ".", "..") or re.search(r"[/\\]", shard):
                raise ValueError(f"{self.where}: {file} names {shard!r}: give names of files")
        return index


def open_checkpoint(source: str | Path) -> Checkpoint:
    """Open the files of a model.

    Parameters
    ----------
    source : str or Path
        A file, a folder, or "hf://owner/name", optionally with "@revision" and "/file".

    Returns
    -------
    Checkpoint
        Its tensors; of shards, those are opened that hold a tensor asked for.

    Raises
    ------
    ValueError
        If there is no such source, or nothing in it is the weights of a model.
    """
    if str(source).startswith("hf://"):
        hub = list_hub(str(source))
        main = hub.file or _choose(list(hub.files), str(source), f"hf://{hub.repository}/FILE")
        return Checkpoint(hub.repository, str(source), list(hub.files), main, hub.fetch, False)
    path = Path(source)
    name = name_source(path)
    if path.is_dir():
        files = sorted(one.name for one in path.iterdir() if one.is_file())
        try:
            main = _choose(files, str(path), str(path / "FILE"))
        except ValueError as error:
            raise ValueError(f"{error}{_find_below(path)}") from None
        return Checkpoint(name, str(path), files, main, path.joinpath, True)
    if not path.exists():
        raise ValueError(f"{path} does not exist: give a file, a folder or hf://owner/name")
    check_file(path)
    files = sorted(one.name for one in path.parent.iterdir())
    return Checkpoint(name, str(path), files, path.name, path.parent.joinpath, True)


def _choose(files: list[str], where: str, example: str) -> str:
    """Return the file to begin with."""
    for name in _MAIN:
        if name in files:
            return name
    endings = tuple(x for x in _suffixes() if x not in _AMBIGUOUS)
    # Of shards, the first that is there stands for all.
    shards = {name: match for name in files if (match := _SHARD.fullmatch(name))}
    firsts: dict[tuple[str, ...], str] = {}
    for name in sorted(shards):
        firsts.setdefault((shards[name][1], shards[name][3], shards[name][4]), name)
    others = [
        name
        for name in files
        if (name in firsts.values() if name in shards else name.lower().endswith(endings))
    ]
    # Slices are one model, which Checkpoint refuses.
    if len(others) == 1 or (others and all(_SLICE.fullmatch(one) for one in others)):
        return others[0]
    if others:
        raise ValueError(f"{where} holds several models: give {example} of {shorten(others)}")
    raise ValueError(
        f"{where} holds no weights of a model: give {name_formats(checkpoint_formats())}"
    )


def count_slices(shapes: Mapping[str, tuple[int, ...]], params: Mapping[str, Any]) -> int:
    """Return into how many slices the tensors of original Llama are cut.

    Each slice has whole vectors (norm.weight), and a share of the columns or rows of each matrix;
    params.json, where there is one, has the whole sizes.

    Examples
    --------
    >>> count_slices({"norm.weight": (8,), "tok_embeddings.weight": (50, 4)}, {})
    2
    >>> count_slices({"tok_embeddings.weight": (50, 8)}, {"dim": 8, "vocab_size": 100})
    2
    >>> count_slices({"tok_embeddings.weight": (50, 8)}, {"dim": 8, "vocab_size": -1})
    1
    """
    norm = shapes.get("norm.weight", ())
    sizes = {name: value for name, value in params.items() if type(value) is int}
    width = sizes.get("dim", norm[0] if len(norm) == 1 else 0)
    tokens, head, query = (
        shapes.get(name, ())
        for name in ("tok_embeddings.weight", "output.weight", "layers.0.attention.wq.weight")
    )
    vocabulary = max(sizes.get("vocab_size", 0), tokens[0] if tokens else 0)
    pairs = [(width, tokens[1:]), (vocabulary, tokens[:1]), (vocabulary, head[:1])]
    if "head_dim" not in params:
        pairs.append((width, query[:1]))
    found = [whole // part[0] for whole, part in pairs if part and part[0] and whole % part[0] == 0]
    return max([1, *found])


def _find_below(folder: Path) -> str:
    """Say which folders one level down have weights."""
    found = (one.parent for name in _MAIN for one in folder.glob(f"*/{name}"))
    below = sorted({str(one) for one in found})
    return f"; there are some in {shorten(below)}" if below else ""


def name_source(path: Path) -> str:
    """Return a file's stem, or a folder's name where that says nothing of the model.

    Examples
    --------
    >>> name_source(Path("/models/pythia-70m/model.safetensors"))
    'pythia-70m'
    >>> name_source(Path("/models/SmolLM2.Q8_0.gguf"))
    'SmolLM2.Q8_0'
    """
    parts = list(path.absolute().parts)
    cached = next((x for x in parts if x.startswith("models--")), None)
    if cached is not None:  # the cache of huggingface_hub
        return cached.removeprefix("models--").replace("--", "/")
    if not path.is_dir():
        endings = "|".join(map(re.escape, _suffixes()))
        ending = rf"(-\d{{5}}-of-\d{{5}})?({endings})(\.part\d+|\.index\.json)?$"
        parts[-1] = re.sub(ending, "", parts[-1])
    return next((x for x in reversed(parts[1:]) if x.lower() not in _PLAIN), parts[-1])


def _suffixes() -> list[str]:
    return [suffix for one in checkpoint_formats() for suffix in one.suffixes]


def shorten(words: Iterable[str], most: int = 20) -> str:
    """Join words by commas, and count those beyond ``most``."""
    words = list(words)
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return (", ".join(words[:most]) or "none") + more
