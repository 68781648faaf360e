"""Compare the figures that README and the pages print with the output of the commands beside them.

Run ``python docs/check_figures.py`` before a release (some 10 minutes; ``--quick`` leaves out the
commands marked as slow; with the names of pages it checks those). It stores nothing: commands run
in a copy of the folders that they write to.

A page says where its figures come from in an HTML comment, which ends at the next one::

    <!-- figures: python examples/fit_language_models.py; given 27, 95 -->
    alpha = 0.910; at 95 % it lies in 0.79 … 1.04 ...
    <!-- end figures -->

Between ``figures:`` and ``-->`` stand, separated by semicolons:

``python …`` or ``superscale …``  a command; ``(slow)`` after it if it takes more than some seconds
``superscale … # exponent``       of its output the paragraphs, between empty lines, with this text
``studies/…/x.json#cells``        a stored JSON or CSV file, or the part of it under these keys;
                                  a script or a test, for its constants
``given 1000, 2048``              settings and other numbers that are no results
``derived 0.05 = 1.10 - 1.05``    arithmetic on numbers of the source (+ - * / log sqrt)
``pivot``                         each cell of a table is one result of its row and its column
``anywhere``                      the numbers of a row of a table need not stand together
``unsigned``                      the source may have another sign
``cited arXiv 2505.10465``        figures of others: nothing is compared

A printed number is right if a number of the source rounds to it; with a per cent sign also if a
hundred times the number does. The numbers of one row of a table must stand together in the source:
in one line of the output, in one row of a CSV file, or in one object of a JSON file and what
contains it. Code, link targets, names such as Figure 7b, and fractions such as 4/3 are not read.

Outside such passages a page has no figures: no table and no output with a decimal number, and in
sentences no decimal number, percentage or number of times, except after the symbol of a setting
(n, m, k, r, p, E, B, α or γ, as in α = 1.5).
"""

import argparse
import ast
import csv
import itertools
import json
import math
import operator
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = re.compile(r"<!--\s*(?:figures:(?P<says>.*?)|(?P<end>end figures))\s*-->", re.DOTALL)
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
# A number: sign, digits in groups of three or not, decimals, exponent as e-3 or × 10⁻³.
DIGITS = r"(?:\d{1,3}(?:[   ]\d{3})+|\d+(?:_\d{3})*)(?:\.\d+)?|\.\d+"
NUMBER = re.compile(
    rf"(?P<sign>[−+-]?)(?P<digits>{DIGITS})"
    r"(?:[eE](?P<e>[+−-]?\d+)|\s?[×·]\s?10(?P<raised>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|\^[−-]?\d+))?"
)
POWER = re.compile(r"(?<![\d.])(?<![×·])(?<![×·]\s)10(?P<raised>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
NAMED = re.compile(
    r"arXiv[: ]*[\d.]+|\b(?:Figures?|Fig\.|Eqs?\.|eqs?\.|Section|Table|Theorem|Python|version)\s*"
    r"\d[\w.]*(?:(?:,| and| to)\s*\d[\w.]*)*|\b\d+[/]\d+\b"
)
SYMBOL = r"(?<![\w.])(?:n|m|k|r|p|E|B|α|γ|alpha|gamma|n/m|n/m²)\s*(?:=|<=|>=|<|>|≤|≥|≈)\s*"
PLAIN = rf"[−-]?(?:{DIGITS})"
SETTINGS = re.compile(rf"{SYMBOL}{PLAIN}(?:\s*(?:,|and|or|to|…|–|,\s*…,)\s*{PLAIN})*(?!\s?%)")
FENCE = re.compile(r"^([`~]{3,})[ ]*(\{?[\w-]*\}?)[^\n]*\n(.*?)^\1[`~]*[ ]*$", re.DOTALL | re.M)
OUTPUT = {"", "text", "console", "output"}


@dataclass(frozen=True)
class Printed:
    """A printed number: its value, the unit of its last digit, and whether it has a sign."""

    text: str
    value: float
    unit: float
    signed: bool
    percent: bool

    def matches(self, number: float, unsigned: bool = False) -> bool:
        """Return whether a number of the source rounds to this one."""
        if unsigned or not self.signed:
            number = abs(number)
        value = abs(self.value) if unsigned else self.value
        scales = (1, 100) if self.percent else (1,)
        return any(abs(s * number - value) <= 0.5 * self.unit * (1 + 1e-9) for s in scales)

    def near(self) -> Iterator["Printed"]:
        """Yield numbers that differ from this one by a few units of its last digit."""
        for k in (-7, -4, -2, 2, 3, 6):
            value = self.value + k * self.unit
            yield Printed(self.text, value, self.unit, self.signed, self.percent)


def read_number(found: re.Match[str], signed: bool, after: str) -> Printed:
    """Return the number of a match of NUMBER."""
    digits = re.sub(r"[\s_]", "", found["digits"])
    raised = (found["raised"] or "").lstrip("^").translate(RAISED)
    exponent = int((found["e"] or raised or "0").replace("−", "-"))
    number = Decimal(digits).scaleb(exponent)
    unit = float(Decimal(1).scaleb(int(number.as_tuple().exponent)))
    sign = -1 if signed and found["sign"] in "−-" and found["sign"] else 1
    percent = bool(re.match(rf"(?:\s*(?:,|to|and|or|…|–)\s*[−+-]?(?:{DIGITS}))*\s?%", after))
    shown = found[0] + (" %" if percent else "")
    return Printed(shown, sign * float(number), unit, bool(signed and found["sign"]), percent)


def strip(text: str) -> str:
    """Return the text of a page without what holds no figures: code, links, names, fractions."""
    text = re.sub(r"^\$\$.*?^\$\$|\$\$.*?\$\$", " ", text, flags=re.DOTALL | re.M)
    text = FENCE.sub(lambda f: f"\n{f[3]}\n" if f[2] in OUTPUT else "\n", text)
    text = re.sub(r"``.+?``|`[^`]*`", " ` ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)|<[^<>]*>|https?://\S+", "] ", text)
    text = re.sub(r"^\s*\[[^\]]+\]:.*$|^(?: {4,}|\s*\d+\. )(?=\S)", " ", text, flags=re.M)
    return NAMED.sub(" _ ", text)


def numbers(text: str) -> Iterator[Printed]:
    """Yield the numbers of stripped text that stand alone, not in a word such as W2 or 7b."""
    text = POWER.sub(lambda f: f"1e{f['raised'].translate(RAISED)}", text)
    for found in NUMBER.finditer(text):
        before, after = text[: found.start()][-1:], text[found.end() :]
        signed = not re.match(r"[\w\)\]^]", before)  # not a hyphen, a range or an exponent
        alone = not (re.match(r"[\w.]", before) and not found["sign"])
        if alone and not re.match(r"(?:\.?\w|-[^\W\d])", after):
            yield read_number(found, signed, after)


def source_numbers(text: str) -> list[float]:
    """Return the numbers in a line of output, those glued to letters too."""
    text = POWER.sub(lambda f: f"1e{f['raised'].translate(RAISED)}", text)
    return [
        read_number(found, text[: found.start()][-1:] not in "0123456789" or not found.start(),
                    text[found.end() :]).value
        for found in NUMBER.finditer(text)
    ]  # fmt: skip


Record = list[float]


def text_records(text: str, chosen: str = "") -> list[Record]:
    """Return the numbers of each line in the paragraphs of a text that contain what is chosen."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if chosen in part]
    lines = [line for part in paragraphs for line in part.splitlines()]
    return [found for line in lines if (found := source_numbers(line))]


def json_records(value: object, around: Record | None = None) -> Iterator[Record]:
    """Yield the numbers of each innermost object or list, with those of what contains it."""
    entries: Iterable[tuple[str, object]]
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = [("", entry) for entry in value]
    else:
        yield source_numbers(value) if isinstance(value, str) else [float(str(value))]
        return
    own, inner = [*(around or [])], []
    for key, entry in entries:
        own += source_numbers(key)
        if isinstance(entry, dict | list):
            inner.append((source_numbers(key), entry))
            own.append(float(len(entry)))
        elif isinstance(entry, str):
            own += source_numbers(entry)
        elif isinstance(entry, int | float) and not isinstance(entry, bool):
            own.append(float(entry))
    yield own
    scalars = [*(around or [])] if isinstance(value, list) else own
    for key_numbers, entry in inner:
        flat = isinstance(entry, list) and not any(isinstance(e, dict | list) for e in entry)
        if flat:  # a list of numbers belongs to the object that holds it
            own += [n for e in entry for n in ([e] if isinstance(e, int | float) else [])]
        else:
            yield from json_records(entry, scalars + key_numbers)


def file_records(name: str) -> list[Record]:
    """Return the records of a stored file, or of the part of it after a ``#``."""
    name, _, part = name.partition("#")
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        rows = list(csv.reader(text.splitlines()))
        return [
            [float(len(rows) - 1)],
            *([n for c in row for n in source_numbers(c)] for row in rows),
        ]
    if path.suffix != ".json":
        return text_records(text)
    value = json.loads(text)
    for key in filter(None, part.split("/")):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return list(json_records(value))


@cache
def copied_tree() -> Path:
    """Return a copy of the folders that scripts read and write."""
    target = Path(tempfile.mkdtemp(prefix="figures-"))
    for folder in ("docs", "examples", "studies", "benchmarks", "tests/data"):
        shutil.copytree(
            ROOT / folder, target / folder, ignore=shutil.ignore_patterns("_build", "__pycache__")
        )
    return target


@cache
def run_command(command: str) -> str:
    """Return what a command prints."""
    name, *words = shlex.split(command)
    call = [sys.executable, *(["-m", "superscale"] if name == "superscale" else []), *words]
    environment = {**os.environ, "MPLBACKEND": "Agg", "COLUMNS": "200", "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(
        call, cwd=copied_tree(), env=environment, capture_output=True, encoding="utf-8", check=False
    )
    if shown.returncode:
        raise RuntimeError(f"{command} ended with {shown.returncode}: {shown.stderr[-500:]}")
    return shown.stdout


@dataclass
class Passage:
    """A part of a page, and where its figures come from; no source: there must be none."""

    page: Path
    line: int
    text: str
    marked: bool = True
    commands: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    given: list[float] = field(default_factory=list)
    derived: list[tuple[str, str]] = field(default_factory=list)
    options: set[str] = field(default_factory=set)

    @property
    def place(self) -> str:
        """Where the passage begins."""
        try:
            return f"{self.page.relative_to(ROOT)}:{self.line}"
        except ValueError:
            return f"{self.page}:{self.line}"

    def read(self, says: str) -> None:
        """Read what stands in the mark."""
        for part in filter(None, (" ".join(part.split()) for part in says.split(";"))):
            word, _, rest = part.partition(" ")
            if word in ("python", "superscale"):
                command = part.replace("(slow)", "").strip()
                (self.slow if "(slow)" in part else self.commands).append(command)
            elif word == "given":
                self.given += [one.value for one in numbers(rest)]
            elif word == "derived" and "=" in rest:
                self.derived.append((rest.split("=")[0].strip(), rest.split("=", 1)[1].strip()))
            elif word == "cited" and rest:
                self.options.add("cited")
            elif part in ("pivot", "anywhere", "unsigned"):
                self.options.add(part)
            elif (ROOT / part.partition("#")[0]).is_file():
                self.files.append(part)
            else:
                raise ValueError(f"{self.place}: {part!r} is no command, file or option")
        if not (self.commands or self.slow or self.files or "cited" in self.options):
            raise ValueError(f"{self.place}: a mark names a command, a file, or what is cited")


def passages(page: Path) -> Iterator[Passage]:
    """Yield the parts of a page, marked and not."""
    text, start, says, marked = page.read_text(encoding="utf-8"), 0, "", False
    code = [fence.span() for fence in FENCE.finditer(text)]
    marks = [one for one in MARK.finditer(text) if not any(a < one.start() < b for a, b in code)]
    for found in [*marks, None]:
        end = found.start() if found else len(text)
        line = text.count("\n", 0, start) + 1
        passage = Passage(page, line, text[start:end], marked)
        if marked:
            passage.read(says)
        yield passage
        if found:
            start, marked, says = found.end(), found["end"] is None, found["says"] or ""
    if marked:
        raise ValueError(f"{page}: the last mark does not end: <!-- end figures -->")


def table_rows(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield each row of the tables in stripped text, with the head of its table."""
    head: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.strip().startswith("|"):
            head = []
        elif not head:
            head = cells
        elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            yield head, cells


def arithmetic(expression: str) -> tuple[float, list[float]]:
    """Return the value of an expression of numbers, and the numbers."""
    known: dict[type, Callable[[float, float], float]] = {
        ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
        ast.Div: operator.truediv,
    }  # fmt: skip
    found: list[float] = []

    def value(node: ast.AST) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            found.append(float(node.value))
            return found[-1]
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("log", "sqrt"):
            return float(getattr(math, ast.unparse(node.func))(value(node.args[0])))
        if isinstance(node, ast.BinOp) and type(node.op) in known:
            return known[type(node.op)](value(node.left), value(node.right))
        raise ValueError(f"{expression!r}: numbers, + - * /, log, sqrt and brackets")

    return value(ast.parse(expression.replace("−", "-"), mode="eval").body), found


def unmarked_figures(text: str) -> list[str]:
    """Return the figures of a passage that has no mark."""
    text = SETTINGS.sub(" _ ", strip(text))
    rows = {" ".join(cells) for _, cells in table_rows(text)}
    found = [row for row in rows if any("." in one.text for one in numbers(row))]
    prose = "\n".join(line for line in text.splitlines() if not line.strip().startswith("|"))
    for one in numbers(prose):
        times = re.search(re.escape(one.text) + r"\s(?:times|×)", prose)
        if one.percent or times or re.search(r"\d\.\d|e", one.text):
            found.append(one.text)
    return found


class Source:
    """The numbers that a passage may print, in records of those that stand together."""

    def __init__(self, passage: Passage, records: list[Record]) -> None:
        self.passage, self.records = passage, records
        self.all = sorted({number for record in records for number in record})
        self.unsigned = "unsigned" in passage.options

    def has(self, one: Printed, among: Iterable[float] | None = None) -> bool:
        """Return whether a number of the source, or of some of it, rounds to this one."""
        among = self.all if among is None else among
        return any(
            one.matches(n, self.unsigned) for n in itertools.chain(among, self.passage.given)
        )

    def has_together(self, row: list[Printed]) -> bool:
        """Return whether one record has all these numbers."""
        return any(all(self.has(one, record) for one in row) for record in self.records) or all(
            self.has(one, ()) for one in row
        )


def groups(passage: Passage, text: str) -> Iterator[list[Printed]]:
    """Yield the numbers of a passage, those together that must stand together."""
    rows = [] if "anywhere" in passage.options else list(table_rows(text))
    for head, cells in rows:
        if "pivot" in passage.options:
            for title, cell in zip(head[1:], cells[1:], strict=False):
                if list(numbers(cell)):
                    yield [*numbers(cells[0]), *numbers(title), *numbers(cell)]
        else:
            yield list(numbers(" | ".join(cells)))
    lines = text.splitlines()
    tables = bool(rows)
    rest = [line for line in lines if not (tables and line.strip().startswith("|"))]
    yield from ([one] for one in numbers("\n".join(rest)))


def check(passage: Passage, records: list[Record]) -> tuple[list[str], float]:
    """Return the faults of a marked passage, and the share of wrong decimals that would pass.

    It may be larger by 0.35 in sentences than in tables, whose numbers must stand together.
    """
    source, text, faults = Source(passage, records), strip(passage.text), []
    derived = {}
    for printed, expression in passage.derived:
        value, used = arithmetic(expression)
        missing = [
            n
            for n in used
            if n not in (1, 2, 100)
            and not source.has(
                Printed(str(n), abs(n), 10 ** -float(len(repr(n).partition(".")[2])), False, False)
            )
        ]
        faults += [f"{n:g} of {expression!r} is not in the source" for n in missing]
        one = next(numbers(printed))
        if not one.matches(value):
            faults.append(f"{expression} is {value:.6g}, not {printed}")
        derived[one.value] = True
    tried: dict[bool, list[bool]] = {True: [], False: []}
    for group in groups(passage, text):
        group = [one for one in group if one.value not in derived]
        if not group:
            continue
        if not (source.has(group[0]) if len(group) == 1 else source.has_together(group)):
            shown = ", ".join(one.text for one in group)
            faults.append(f"{shown}: not in the source{' together' if len(group) > 1 else ''}")
        decimals = [k for k, one in enumerate(group) if "." in one.text]
        for k in decimals:
            for other in group[k].near():
                changed = [*group[:k], other, *group[k + 1 :]]
                alone = len(group) == 1
                tried[alone].append(source.has(other) if alone else source.has_together(changed))
    shares = [
        sum(each) / len(each) - 0.35 * alone for alone, each in tried.items() if len(each) > 29
    ]
    return faults, max(shares, default=0.0)


def check_page(
    page: Path, run: Callable[[str], str] = run_command, slow: bool = True
) -> Iterator[str]:
    """Yield the faults of a page; without ``slow`` passages with a slow command are left out."""
    for passage in passages(page):
        if not passage.marked:
            if found := unmarked_figures(passage.text):
                shown = "; ".join(found[:5]) + ("; …" if len(found) > 5 else "")
                yield (
                    f"{passage.place}: figures without a mark: {shown}. Say where they come from: "
                    "<!-- figures: COMMAND or FILE --> … <!-- end figures -->"
                )
            continue
        if "cited" in passage.options or (passage.slow and not slow):
            continue
        records = [r for name in passage.files for r in file_records(name)]
        for part in [*passage.commands, *passage.slow]:
            command, _, chosen = part.partition(" # ")
            records += text_records(run(command), chosen)
        faults, accepted = check(passage, records)
        yield from (f"{passage.place}: {fault}" for fault in faults)
        if accepted > 0.5:
            yield (
                f"{passage.place}: {accepted:.0%} of wrong decimals would pass: name less of the "
                "file (x.json#part), or a command that prints what the page says"
            )


def pages() -> list[Path]:
    """Return README and the pages of the documentation."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if "_build" not in page.parts]


def main() -> int:
    """Check the pages; return 1 if a figure is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="default: README.md and docs/**/*.md")
    parser.add_argument("--quick", action="store_true", help="without slow commands")
    arguments = parser.parse_args()

    def run(command: str) -> str:
        start = time.perf_counter()
        shown = run_command(command)
        print(f"  {command}: {time.perf_counter() - start:.0f} s", flush=True)
        return shown

    wrong = 0
    for page in [path.resolve() for path in arguments.pages] or pages():
        print(page.relative_to(ROOT) if page.is_relative_to(ROOT) else page, flush=True)
        for fault in check_page(page, run, slow=not arguments.quick):
            wrong += 1
            print(f"  {fault}", flush=True)
    print(f"{wrong} faults" if wrong else "every figure is that of its source")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
