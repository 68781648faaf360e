"""The command that writes small input files to try the others on: ``superscale example``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.output import print_data, show_table, to_json, write


def example(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Files to write.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Write every file.")] = False,
    folder: Annotated[Path, typer.Option(help="Where to write them.")] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Replace files of these names that hold other data.")
    ] = False,
    json: opt.Json = False,
) -> None:
    """Write small input files to try the other commands on; without a NAME, list them.

    The files: words.csv, text.txt, tokenizer.json, counts.csv, losses.csv, runs.csv, shapes.csv,
    model.safetensors, small.safetensors and large.safetensors. They are the same each time; a file
    that is there with the same content is left alone.

    Example: superscale example counts.csv losses.csv

    Example: superscale example --all --folder try
    """
    from empirical.example_files import EXAMPLES
    from numerics.files import check_writable

    unknown = [name for name in names or [] if name not in EXAMPLES]
    if unknown:
        raise ValueError(f"no example {unknown[0]!r}: there are {', '.join(EXAMPLES)}")
    if names and everything:
        raise ValueError(f"--all writes {names[0]} too: give names or --all")
    chosen = list(EXAMPLES) if everything else list(dict.fromkeys(names or []))
    if not chosen:
        _show_list(EXAMPLES, json)
        return
    data: dict[Path, bytes] = {}
    kept = []
    for name in chosen:
        path = check_writable(folder / name)
        content = EXAMPLES[name].make()
        if path.is_file() and path.read_bytes() == content:
            kept.append(path)
        elif path.exists() and not force:
            raise ValueError(
                f"{path} is there with other content: give another --folder, or --force to "
                "replace it"
            )
        else:
            data[path] = content
    for path, content in data.items():
        write(path, partial(_save, content))
    if json:
        print_data(
            to_json({"written": [str(x) for x in data], "kept": [str(x) for x in kept]}) + "\n"
        )
        return
    for path in kept:
        print(f"{path} is there already, with the same content")
    for name in chosen:
        print(f"try: {EXAMPLES[name].command}")


def _save(content: bytes, path: Path) -> None:
    from numerics.files import write_atomically

    write_atomically(path, content)


def _show_list(examples: Any, json: bool) -> None:
    rows = [
        {"name": one.name, "summary": one.summary, "command": one.command}
        for one in examples.values()
    ]
    if json:
        print_data(to_json({"rows": rows}) + "\n")
        return
    show_table(
        "Files that superscale example NAME writes",
        ["name", "what it holds", "try"],
        [list(row.values()) for row in rows],
        justify="left",
    )
    print("run.safetensors: superscale train --n 200 --m 20 --output run.safetensors (seconds)")
