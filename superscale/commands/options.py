"""The options that commands share, and the values that they stand for.

A command's signature uses these annotated types, so that one option has one name and one help text
everywhere; ``build_frequencies``, ``build_features``, ``read_widths`` and ``read_numbers`` turn
what was typed into values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from theory.activation import Activation
    from theory.features import Features
    from theory.frequencies import Frequencies

# Numbers in a range.
_FEWEST, _MOST = 2, 100_000
LAWS = "power_law, linear or exponential:SCALE"
Law = Annotated[
    str | None,
    typer.Option(help="Frequencies: power_law (default), linear, or exponential:SCALE."),
]
N = Annotated[int | None, typer.Option("--n", help="Number of features (default 1000).")]
Alpha = Annotated[float | None, typer.Option(help="Exponent of the power law (default 1).")]
Scale = Annotated[float | None, typer.Option(help="Scale of exponential frequencies, in ranks.")]
Density = Annotated[float | None, typer.Option(help="Activation density E (default 1).")]
Counts = Annotated[Path | None, typer.Option(help="CSV or TSV of counts to use instead of a law.")]
Top = Annotated[int | None, typer.Option(help="Use only this many of the highest counts.")]
Column = Annotated[str | None, typer.Option(help="Column of the counts, by name or number.")]
Separator = Annotated[
    str | None,
    typer.Option(
        help="What separates cells: tab, semicolon, comma, blank, or the character (default: found "
        "from the file)."
    ),
]
Decimal = Annotated[
    str | None, typer.Option(help='Decimal sign: "." or "," (default: found from the numbers).')
]
Thousands = Annotated[
    str | None,
    typer.Option(
        help='Thousands separator of numbers: "," or "." or "\'" or " ", or none (default: found '
        "from the numbers)."
    ),
]
Widths = Annotated[
    list[str] | None,
    typer.Option(
        "--m",
        help="Widths: --m 10,25,63 or a range with a count, 10:50:5 (default six from n/100 to "
        "n/10).",
    ),
]
Theory = Annotated[
    list[str] | None,
    typer.Option(help="Only these theories: --theory weak,mean_field."),
]
ActivationLaw = Annotated[
    str | None,
    typer.Option(
        "--activation",
        help="Law of v: LOW:HIGH for a uniform one, LOW:HIGH:SHARES for a density in equal steps, "
        "with their shares as 3,1 or a file of them (default 0:2).",
    ),
]
Importance = Annotated[
    str | None,
    typer.Option(
        help="I_i of each feature: by its rank i, 0.9^i or i^-0.5; a list 4,2,1; or a file with "
        "a number for each, in the order of the features (default 1 each)."
    ),
]
Dependence = Annotated[
    Path | None,
    typer.Option(
        help='JSON file that says which features are on together: {"exclusive": [[0, 1], [2, 3]]}, '
        '{"parents": [null, 0, 0]}, {"weights": […], "tilt": [[…], …]} for topics, or {"groups": '
        '[[0, 1], …], "causes": 0.3}; features counted from 0.'
    ),
]
Sampling = Annotated[
    str,
    typer.Option(help="bernoulli (features are active independently) or one_hot (one at a time)."),
]


def _one_format(context: typer.Context, parameter: typer.CallbackParam, value: bool) -> bool:
    other = {"json": "csv", "csv": "json"}[str(parameter.name)]
    if value and context.params.get(other):
        raise ValueError("--json and --csv do not go together: give one")
    return value


Json = Annotated[bool, typer.Option("--json", callback=_one_format, help="Print one JSON object.")]
Csv = Annotated[bool, typer.Option("--csv", callback=_one_format, help="Print CSV.")]
Output = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", help="Write a figure (.png .svg .pdf) or data (.csv .json)."),
]
WeightDecay = Annotated[
    float | None,
    typer.Option(help="Weight decay: > 0 weak, < 0 strong superposition (default -1)."),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help="Training: fast (default), converged (until more steps gain less than 1 %), or paper "
        "(minutes a model)."
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of whatever is drawn at random.")]
Seeds = Annotated[
    list[str] | None,
    typer.Option("--seed", help="Seeds, a model for each: --seed 0,1 or a range with a count."),
]
Store = Annotated[
    Path | None,
    typer.Option(help="Folder of finished runs: what is there is not trained again."),
]
Workers = Annotated[
    int | None, typer.Option(help="Processes that train at once (default: all cores).")
]
Remove = Annotated[
    int | None,
    typer.Option(help="Principal directions to remove in the last column (default m/100)."),
]
Batch = Annotated[int | None, typer.Option(help="Batch size.")]
Steps = Annotated[int | None, typer.Option(help="Training steps.")]
LearningRate = Annotated[float | None, typer.Option(help="Peak learning rate.")]
BiasLearningRate = Annotated[
    float | None, typer.Option(help="Peak learning rate of b (default: that of W).")
]
BiasStart = Annotated[str | None, typer.Option(help="Start of b: normal (as published) or zero.")]
Device = Annotated[str | None, typer.Option(help="Torch device (default cpu).")]
DecoderRows = Annotated[
    int | None,
    typer.Option(help="Rows that a step decodes, for large n (default 0: all)."),
]


def build_frequencies(
    law: str | None,
    n: int | None,
    alpha: float | None,
    scale: float | None,
    density: float | None,
    counts: Path | None,
    top: int | None,
    column: str | None,
    form: Mapping[str, str],
) -> tuple[Frequencies, dict[str, Any]]:
    """Build the frequencies that the options describe, with a record that repeats them.

    ``form`` is what ``read_form`` returns.
    """
    from theory.frequencies import Frequencies

    density = 1.0 if density is None else density

    if counts is not None:
        clash = given(law=law, n=n, alpha=alpha, scale=scale)
        if clash:
            raise ValueError(f"give --counts or --{next(iter(clash))}, not both")
        from empirical.counts.table import read_counts

        frequencies = Frequencies.from_counts(read_counts(counts, column, **form), density, top)
        source = {"counts": str(counts), "top": top, "column": column, **form}
        return frequencies, frequencies.describe() | source
    clash = given(top=top, column=column, **form)
    if clash:
        raise ValueError(f"--{next(iter(clash))} goes with --counts FILE")
    law, size = "power_law" if law is None else law, 1000 if n is None else n
    law, scale = _split_scale(law, scale)
    if alpha is not None and law != "power_law":
        raise ValueError(f"--alpha goes with --law power_law, not with --law {law}")
    if scale is not None and law != "exponential":
        raise ValueError("--scale goes with --law exponential")
    if law == "power_law":
        exponent = 1.0 if alpha is None else alpha
        frequencies = Frequencies.power_law(size, exponent, density)
    elif law == "exponential":
        if scale is None:
            raise ValueError("--law exponential needs --scale, in ranks, as --scale 40")
        frequencies = Frequencies.exponential(size, scale, density)
    elif law == "linear":
        frequencies = Frequencies.linear(size, density)
    else:
        raise ValueError(f"--law {law} is not known: give {LAWS}")
    return frequencies, frequencies.describe()


def _split_scale(law: str, scale: float | None) -> tuple[str, float | None]:
    """Take exponential:40, as a grid has it, for --law exponential --scale 40."""
    name, colon, text = law.partition(":")
    if not colon or name != "exponential":
        return law, scale
    if scale is not None:
        raise ValueError(f"--law {law} has its own scale: leave out --scale")
    try:
        return name, float(text)
    except ValueError:
        raise ValueError(f"--law {law}: {text!r} is not a number of ranks") from None


def read_activation(text: str | None) -> Activation:
    """Return the law of v that ``--activation`` names.

    Examples
    --------
    >>> read_activation("0:1"), read_activation("0:2:3,1"), read_activation(None)
    (Activation(0, 1), Activation(0, 2, shares=(3, 1)), Activation(0, 2))
    """
    from theory.activation import UNIFORM, Activation

    if text is None:
        return UNIFORM
    low, _, rest = text.partition(":")
    high, _, shares = rest.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        raise ValueError(
            f"--activation {text!r} is not allowed: give LOW:HIGH, as 0:1, or LOW:HIGH:SHARES, as "
            "0:2:3,1 or 0:2:shares.txt"
        ) from None
    return Activation(*ends, tuple(_list_or_file("activation", shares)) if shares else (1.0,))


def read_importance(text: str | None, frequencies: Frequencies) -> Any:
    """Return the importances that ``--importance`` names, in the order of the features.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> words = Frequencies.from_counts([1, 5, 3])
    >>> read_importance("0.5^i", words), read_importance("i^-1", words).round(2)
    (array([0.125, 0.5  , 0.25 ]), array([0.33, 1.  , 0.5 ]))
    >>> read_importance("4,2,1", words)
    [4.0, 2.0, 1.0]
    """
    from theory.features import importance_by_rank

    if text is None:
        return None
    base, power, exponent = text.replace(" ", "").partition("^")
    if power or not base:
        try:
            given = {"exponent": float(exponent)} if base == "i" else {"base": float(base)}
        except ValueError:
            given = {}
        if not given or "i" not in (base, exponent):
            raise ValueError(
                f"--importance {text!r} is not allowed: give a number for each rank i, as 0.9^i or "
                "i^-0.5"
            )
        return importance_by_rank(frequencies, **given)
    return _list_or_file("importance", text)


def build_features(
    frequencies: Frequencies,
    activation: str | None,
    importance: str | None,
    dependence: Path | None = None,
) -> Features:
    """Return features by ``--activation``, ``--importance`` and ``--dependence``."""
    from theory.features import Features

    law, weights = read_activation(activation), read_importance(importance, frequencies)
    forest = None
    if dependence is not None:
        from theory.dependence.described import read_dependence

        forest = read_dependence(dependence, frequencies.p_as_given)
    return Features(frequencies, law, weights, forest)


def _list_or_file(name: str, text: str) -> list[float]:
    """Return the numbers of a list with commas, or of the last column of a file."""
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        if "," in text and not Path(text).exists():
            raise ValueError(f"--{name} {text!r} is not a list of numbers, nor a file") from None
    from empirical.number_formats import parse_numbers
    from empirical.tables import read_table

    table = read_table(text, f"numbers for --{name}")
    cells = [row[-1] for row in table.rows]
    values = parse_numbers(table.path, [cells])[0]
    first = 1 if values[0] is None and len(values) > 1 else 0
    numbers = []
    for line, cell, value in list(zip(table.lines, cells, values, strict=True))[first:]:
        if value is None:
            raise ValueError(f"{table.path} line {line}: {cell!r} is not a number")
        numbers.append(value)
    return numbers


def read_form(separator: str | None, decimal: str | None, thousands: str | None) -> dict[str, str]:
    """Return how a table is written, by the names that ``read_counts`` has for it.

    Examples
    --------
    >>> read_form("semicolon", ",", "none")
    {'separator': 'semicolon', 'decimal': ',', 'thousands': ''}
    >>> read_form(None, None, None)
    {}
    """
    thousands = "" if thousands == "none" else thousands
    return given(separator=separator, decimal=decimal, thousands=thousands)


def read_widths(words: list[str] | None, n: int) -> list[int]:
    """Return the widths that ``--m`` lists, or six from n/100 to n/10.

    Examples
    --------
    >>> read_widths(["10,25", "63"], n=1000)
    [10, 25, 63]
    >>> read_widths(None, n=1000)
    [10, 15, 25, 39, 63, 100]
    """
    if not words:
        # Rounded down, as in the publication.
        return sorted({max(1, int(n * 10 ** (k / 5 - 2) + 1e-9)) for k in range(6)})
    return read_integers("m", words)


def read_integers(name: str, words: list[str]) -> list[int]:
    """Return the whole numbers that ``--name 1,2 --name 0:20:5`` lists.

    Examples
    --------
    >>> read_integers("seed", ["0,1", "5"])
    [0, 1, 5]
    >>> read_integers("m", ["0:20:5"])
    [0, 5, 10, 15, 20]
    """
    values = []
    for word in ",".join(words).split(","):
        numbers = _read_range(name, word) if ":" in word else [word]
        try:
            whole = [int(number) for number in numbers]
            if whole != numbers and ":" in word:
                raise ValueError
        except ValueError:
            raise ValueError(
                f"--{name} {word!r} is not a whole number: give some as --{name} 10,25,63, or a "
                "range of whole numbers with a count, 10:50:5"
            ) from None
        values += whole
    return values


def read_numbers(name: str, words: list[str]) -> list[float]:
    """Return the numbers that ``--name 1,2 --name 0:2:5`` lists; ranges say how many numbers.

    Examples
    --------
    >>> read_numbers("alpha", ["0:2:5", "3"])
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0]
    >>> read_numbers("weight_decay", ["-1,0.5"])
    [-1.0, 0.5]
    """
    values: list[float] = []
    for word in ",".join(words).split(","):
        try:
            values += _read_range(name, word) if ":" in word else [float(word)]
        except ValueError as error:
            if ":" in word:
                raise
            raise ValueError(
                f"--{name.replace('_', '-')} {word!r} is not a number: give some as 0,0.5,1, or a "
                "range with a count, 0:2:17"
            ) from error
    return values


def _read_range(name: str, word: str) -> list[float]:
    """Return the numbers of FIRST:LAST:COUNT, both ends with them."""
    try:
        low, high, number = word.split(":")
        first, last, count = float(low), float(high), int(number)
    except ValueError:
        first, last, count = math.nan, math.nan, 0
    if not math.isfinite(last - first) or not _FEWEST <= count <= _MOST:
        raise ValueError(
            f"--{name.replace('_', '-')} {word!r} is no range: give FIRST:LAST:COUNT with a count "
            f"from {_FEWEST} to {_MOST}, as 0:2:17"
        )
    step = (last - first) / (count - 1)
    return [*(first + k * step for k in range(count - 1)), last]


def split_names(words: list[str] | None) -> list[str] | None:
    """Return the names that ``--name a,b --name c`` lists.

    Examples
    --------
    >>> split_names(["weak,mean_field", "strong_even"])
    ['weak', 'mean_field', 'strong_even']
    """
    return [name.strip() for name in ",".join(words).split(",")] if words else None


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given.

    Examples
    --------
    >>> given(alpha=1.0, n=None)
    {'alpha': 1.0}
    """
    return {name: value for name, value in options.items() if value not in (None, [])}
