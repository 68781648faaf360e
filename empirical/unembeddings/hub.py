"""Files of a repository on the Hugging Face hub, each fetched when it is asked for.

``empirical.unembeddings.checkpoints`` calls ``list_hub("hf://owner/name")``. The package
``huggingface_hub`` (``superscale[hub]``) fetches and caches the files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SOURCE = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@(refs/\w+/[\w.-]+|[^/@]+))?(?:/(.+))?")


@dataclass(frozen=True)
class HubFolder:
    """A folder of a repository.

    Attributes
    ----------
    repository : str
        "owner/name".
    files : tuple of str
        Names of the files in the folder.
    file : str
        The one that the source named, or "".
    fetch : callable
        Takes a name, returns the path of the file in the local cache.
    """

    repository: str
    files: tuple[str, ...]
    file: str
    fetch: Callable[[str], Path]


def list_hub(source: str) -> HubFolder:
    """List the files of a repository; fetch none.

    Parameters
    ----------
    source : str
        "hf://owner/name", optionally with "@revision" and "/file".

    Returns
    -------
    HubFolder
        Of what is in the cache already if the hub cannot be reached.

    Raises
    ------
    ValueError
        If the source is not of this form, huggingface_hub is not installed, or the hub says no.

    Examples
    --------
    >>> list_hub("hf://gpt2")
    Traceback (most recent call last):
        ...
    ValueError: hf://gpt2 is no model on the hub: give hf://owner/name[@revision][/file]
    """
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise ValueError(f"{source} is no model on the hub: give hf://owner/name[@revision][/file]")
    repository, revision, inside = match.groups()
    try:
        import huggingface_hub as hub
    except ImportError:
        raise ValueError(
            f"{source} needs the package huggingface_hub: pip install 'superscale[hub]'"
        ) from None
    folder, _, file = (inside or "").rpartition("/")
    before = f"{folder}/" if folder else ""

    def fetch(name: str) -> Path:
        with _in_one_line(source):
            return Path(hub.hf_hub_download(repository, before + name, revision=revision))

    with _in_one_line(source):
        try:
            names = hub.HfApi().list_repo_files(repository, revision=revision)
        except Exception:
            try:
                cached = hub.snapshot_download(repository, revision=revision, local_files_only=True)
            except Exception:
                cached = None
            if cached is None:
                raise
            paths = (one for one in Path(cached).rglob("*") if one.is_file())
            names = sorted(one.relative_to(cached).as_posix() for one in paths)
    inner = [name.removeprefix(before) for name in names if name.startswith(before)]
    files = [name for name in inner if "/" not in name]
    if file and file not in files:
        raise ValueError(f"{source}: there is no such file in {repository}")
    return HubFolder(repository, tuple(files), file, fetch)


@contextmanager
def _in_one_line(source: str) -> Iterator[None]:
    """Turn any error of the hub or the network into a ValueError of one line."""
    try:
        yield
    except Exception as error:  # the errors of huggingface_hub's transport change with its version
        said = str(error).strip().partition("\n")[0][:200]
        raise ValueError(f"{source} cannot be fetched: {type(error).__name__}: {said}") from error
