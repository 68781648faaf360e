"""Sphinx extension: the reference, written from the program, and links to it from every page.

Before a build it writes ``docs/reference/generated``: one page for each public name (they are
listed in the stubs of ``superscale``) and one for each command, with its options and the JSON that
it prints. After reading, code such as ``ss.predict`` or ``superscale fit`` in any page becomes a
link to the page of that name or command.
"""

import inspect
import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import typer
from docutils import nodes

import superscale
from superscale.commands.app import COMMANDS as commands
from superscale.commands.app import build_app
from superscale.importing.lazy_names import listing

HERE = Path(__file__).parents[1]
GENERATED = HERE / "reference" / "generated"
SCHEMAS = HERE / "reference" / "schemas"
COMMANDS: dict[str, Any] = typer.main.get_command(build_app()).commands  # type: ignore[attr-defined]
STUBS = sorted(Path(superscale.__file__).parent.glob("*.pyi"), key=lambda p: p.stem != "__init__")
# Fully qualified public names, by namespace; the namespaces themselves are pages of their own.
NAMESPACES = {
    "superscale" if stub.stem == "__init__" else f"superscale.{stub.stem}": {
        name: home for name, home in listing(stub).items() if home != "superscale"
    }
    for stub in STUBS
}
PUBLIC = {f"{space}.{name}" for space, names in NAMESPACES.items() for name in names}
# Where a public name is defined: the pages name formulas so.
HOMES = {
    f"{home}.{name}": f"{space}.{name}"
    for space, names in NAMESPACES.items()
    for name, home in names.items()
}
SHORT = {name.rpartition(".")[2]: name for name in PUBLIC}


def escape(text: str) -> str:
    """Return text that reStructuredText shows as it is."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def heading(title: str, rule: str = "=") -> str:
    """Return a title and its rule."""
    return f"{title}\n{rule * len(title)}\n\n"


def indent(text: str, by: int = 3) -> str:
    """Return a text with each line moved right."""
    return "".join(" " * by + line if line.strip() else line for line in text.splitlines(True))


def code(text: str, language: str) -> str:
    """Return a block of code."""
    return f".. code-block:: {language}\n\n{indent(text)}\n\n"


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a table whose cells are reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [columns, *rows]:
        lines += [f"   {'*' if k == 0 else ' '} - {cell}" for k, cell in enumerate(row)]
    return "\n".join(lines) + "\n\n"


def toctree(entries: list[str], depth: int = 1) -> str:
    """Return a hidden list of pages."""
    return (
        f".. toctree::\n   :hidden:\n   :maxdepth: {depth}\n\n{indent(chr(10).join(entries))}\n\n"
    )


def first_sentence(value: Any) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")


def resolve(name: str) -> Any:
    """Return the value of a public name."""
    value: Any = superscale
    for part in name.split(".")[1:]:
        value = getattr(value, part)
    return value


def returned_by(name: str) -> str:
    """Return a line with the public functions and methods that return a class."""
    makers = sorted(
        f":py:obj:`{maker.removeprefix('superscale.')} <{maker}>`"
        for maker in makers_of(name, {full: resolve(full) for full in PUBLIC})
    )
    return f"Returned by {', '.join(makers)}.\n" if makers else ""


def makers_of(name: str, public: dict[str, Any]) -> set[str]:
    """Return the functions and methods whose return annotation names a class.

    The tests use it too: a result whose maker has an example has one.
    """
    found = set()
    for full, value in public.items():
        own = {full: value}
        if inspect.isclass(value):
            own = {
                f"{full}.{key}": getattr(one, "fget", None) or getattr(one, "__func__", one)
                for key, one in vars(value).items()
                if not key.startswith("_")
            }
        for maker, one in own.items():
            annotation = getattr(one, "__annotations__", {}).get("return", "")
            if re.search(rf"\b{name}\b", getattr(annotation, "__name__", str(annotation))):
                found.add(maker)
    return found


def api_pages() -> dict[str, str]:
    """Return the pages of the public names, and one that lists them."""
    pages = {}
    index = heading("Python")
    index += (
        "``import superscale as ss``: what is used most is at the top, the rest in namespaces.\n\n"
    )
    spaces = []
    for space, names in NAMESPACES.items():
        short = space.replace("superscale", "ss", 1)
        module = resolve(space) if space != "superscale" else superscale
        rows = []
        for name in sorted(names, key=str.lower):
            full = f"{space}.{name}"
            value = resolve(full)
            kind = "class" if inspect.isclass(value) else "function"
            if kind == "class" and issubclass(value, BaseException):
                kind = "exception"
            body = heading(escape(f"{short}.{name}")) + f".. auto{kind}:: {full}\n"
            if kind == "class":
                body += "   :members:\n\n" + returned_by(name)
            pages[f"api/{full}"] = body
            rows.append([f":py:obj:`{name} <{full}>`", linked(first_sentence(value))])
        text = heading(short) + linked(inspect.getdoc(module).split("\nExamples\n")[0]) + "\n\n"
        pages[f"api/{short}"] = (
            text + table(["name", ""], rows) + toctree([f"{space}.{n}" for n in sorted(names)])
        )
        index += heading(short, "-")
        index += f":doc:`{short}`: {linked(first_sentence(module))}\n\n" + table(["name", ""], rows)
        spaces.append(short)
    pages["api/index"] = index + toctree(spaces)
    return pages


def kind_of(annotation: Any) -> str:
    """Return what an option takes, in words."""
    words = re.findall(r"\b(list|str|int|float|Path)\b", str(annotation))
    names = {"str": "text", "int": "integer", "float": "number", "Path": "path"}
    kinds = [names[word] for word in words if word != "list"]
    return (kinds[0] if kinds else "") + (", several" if "list" in words else "")


def option_rows(parameters: list[Any], function: Any) -> list[list[str]]:
    """Return a row for each parameter of a command."""
    hints = get_type_hints(function)
    rows = []
    for one in parameters:
        named = one.param_type_name == "option"
        names = ", ".join(f"``{x}``" for x in (*one.opts, *one.secondary_opts)) if named else ""
        default = "" if one.default in (None, False, True, [], ()) else f"``{one.default}``"
        if one.required:
            default = "required"
        kind = kind_of(hints.get(one.name, ""))
        rows.append([names or f"``{one.name}``", kind, escape(one.help or ""), default])
    return rows


def command_pages() -> dict[str, str]:
    """Return the page of each command, and one that lists them."""
    pages = {}
    rows = []
    for function in commands:
        name = function.__name__.replace("_", "-")
        command = COMMANDS[name]
        text = heading(f"superscale {name}")
        paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
        examples = [p.removeprefix("Example: ") for p in paragraphs if p.startswith("Example: ")]
        for paragraph in paragraphs:
            if not paragraph.startswith("Example: "):
                text += escape(paragraph) + "\n\n"
        text += code("\n".join(examples), "shell") if examples else ""
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option"]
        if arguments:
            text += heading("Arguments", "-")
            text += table(
                ["argument", "kind", "meaning", "default"], option_rows(arguments, function)
            )
        text += heading("Options", "-")
        text += table(["option", "kind", "meaning", "default"], option_rows(options, function))
        schema = SCHEMAS / f"{name}.json"
        if schema.exists():
            text += heading("JSON", "-")
            whole = json.loads(schema.read_text(encoding="utf-8"))
            text += (
                "One object; numbers that are not finite are null. "
                f":download:`JSON schema <../../schemas/{name}.json>`\n\n"
            )
            for form in whole.get("anyOf", [whole]):
                text += f"``{form['title']}``\n\n"
                text += table(["field", "kind", "meaning"], list(schema_rows(form)))
        pages[f"commands/{name}"] = text
        rows.append([f":doc:`superscale {name} <{name}>`", escape(command.get_short_help_str(200))])
    text = heading("Commands") + table(["command", ""], rows) + toctree(list(COMMANDS))
    text += (
        "Every command has ``--help``. ``--json`` and ``--csv`` print for machines, ``--output`` "
        "writes figures (.png, .svg, .pdf) and data (.csv, .json). Bad input is one line on stderr "
        "and exit code 2; a failed run is 1, Ctrl-C is 130.\n\n"
    )
    pages["commands/index"] = text
    return pages


def schema_rows(schema: dict[str, Any], path: str = "") -> Any:
    """Yield a row for each field of a JSON schema, its parts below it."""
    if path:
        kind = schema.get("type", "null")
        kind = " or ".join([kind] if isinstance(kind, str) else kind)
        yield [f"``{path}``", kind, escape(schema.get("description", ""))]
    for name, inner in schema.get("properties", {}).items():
        yield from schema_rows(inner, f"{path}.{name}" if path else name)
    for key, suffix in (("additionalProperties", ".NAME"), ("items", "[]")):
        inner = schema.get(key)
        if isinstance(inner, dict):
            rows = list(schema_rows(inner, path + suffix))
            yield from rows if len(rows) == 1 and key != "items" else rows[1:]


def linked(text: str) -> str:
    """Return the text of a docstring with links to public names, and |t| as it is written."""

    def link(found: re.Match[str]) -> str:
        name = found[1].removeprefix("ss.").removeprefix("superscale.")
        full = SHORT.get(name.rpartition(".")[2])
        if full is None or not full.endswith("." + name):
            return found[0]
        return f":py:obj:`{found[1]} <{full}>`"

    parts = re.split(r"(``.*?``)", text)
    parts[::2] = [re.sub(r"(?<!\\)\|", r"\|", part) for part in parts[::2]]
    return "".join(re.sub(r"^``([A-Za-z_.]+)``$", link, part) for part in parts)


def write_pages(app: Any) -> None:
    """Write what changed, so that an incremental build reads only that; remove what is gone."""
    pages = {**api_pages(), **command_pages()}
    for name, text in pages.items():
        path = GENERATED / f"{name}.rst"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in GENERATED.rglob("*.rst"):
        if path.relative_to(GENERATED).with_suffix("").as_posix() not in pages:
            path.unlink()


def link_docstring(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Make links of the public names in a docstring, but for its own; leave its examples alone."""
    own, example = name.rpartition(".")[2], False
    for k, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example and f"``{own}``" not in line:
            lines[k] = linked(line)


CODE = re.compile(r"(?:ss|superscale)\.((?:\w+\.)?\w+)")


def target(app: Any, text: str) -> tuple[str, str] | None:
    """Return the page and anchor of what a piece of code names, or nothing."""
    words = text.split()
    if len(words) > 1 and words[0] == "superscale" and words[1] in COMMANDS:
        return f"reference/generated/commands/{words[1]}", ""
    if text in HOMES:
        return f"reference/generated/api/{HOMES[text]}", HOMES[text]
    found = CODE.match(text)
    if found and f"superscale.{found[1]}" in PUBLIC:
        full = f"superscale.{found[1]}"
        return f"reference/generated/api/{full}", full
    if found and f"superscale.{found[1]}" in NAMESPACES:
        return f"reference/generated/api/ss.{found[1]}", ""
    return None


def link_code(app: Any, doctree: Any, docname: str) -> None:
    """Make links of inline code that names a public name or a command."""
    for node in list(doctree.findall(nodes.literal)):
        if isinstance(node.parent, nodes.reference | nodes.title):
            continue
        place = target(app, node.astext())
        if place and place[0] != docname:
            address = app.builder.get_relative_uri(docname, place[0])
            reference = nodes.reference(
                "", "", internal=True, refuri=address + (f"#{place[1]}" if place[1] else "")
            )
            node.replace_self(reference)
            reference += node


def no_arguments(gallery_conf: dict[str, Any], script: dict[str, Any]) -> list[str]:
    """Return the arguments of an example in the gallery: none."""
    return []


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", link_docstring, priority=900)
    app.connect("doctree-resolved", link_code)
    return {"parallel_read_safe": True, "version": "1"}
