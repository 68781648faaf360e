"""Small files to try every command on: made here from seeds, or cut from the published data.

``EXAMPLES`` lists them; ``EXAMPLES["counts.csv"].make()`` returns the bytes of one, the same each
time. ``superscale example`` writes them.

The text is drawn at random, word after word, from a Zipf-Mandelbrot law whose parameters are known
(``EXPONENT``, ``SHIFT``), so that what a fit finds in it can be checked; the counts are those of
that text, and the language models are random matrices with a row for each of its tokens.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import files

import numpy as np

from empirical.counts.token_counts import TokenCounts
from theory.checks import read_only

WORDS = 3000  # words in the vocabulary; the tokenizer has one token more, for all others
EXPONENT, SHIFT = 1.1, 2.7  # p_i ∝ 1/(i + SHIFT)^EXPONENT
_LENGTH = 80_000  # words of the text
_LINE = 12  # words in a line
_BLOCKS = 16  # blocks of the saved counts
_SEED = 20250510
_WIDTHS = {"small.safetensors": 32, "model.safetensors": 64, "large.safetensors": 128}
_NOISE = 0.005  # standard deviation of ln(loss) in runs.csv and shapes.csv
# L = E + A/N^alpha_N + B/D^alpha_D of runs.csv: Hoffmann et al., arXiv 2203.15556, equation 10.
CHINCHILLA = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha_N": 0.34, "alpha_D": 0.28}
# L = L_0 + sum of c/x^alpha of shapes.csv: fitted to the models of arXiv 2602.05970, rounded.
SHAPES_FLOOR = 1.754
SHAPES = {
    "d_model": (275.0, 0.945),
    "n_layers": (6.72, 1.325),
    "num_tokens": (529.0, 0.299),
}


@dataclass(frozen=True)
class ExampleFile:
    """A file to try commands on.

    Attributes
    ----------
    name : str
        Its name.
    summary : str
        What it holds, and where that comes from.
    command : str
        A command that reads it.
    make : callable
        Returns its bytes.
    """

    name: str
    summary: str
    command: str
    make: Callable[[], bytes]


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[str, ...]:
    """Return pronounceable words, the short ones first."""
    syllables = [a + b for a in "bdfghklmnprstvz" for b in "aeiou"]
    lengths = (itertools.product(syllables, repeat=k) for k in itertools.count(1))
    words = ("".join(parts) for parts in itertools.chain.from_iterable(lengths))
    return tuple(itertools.islice(words, WORDS))


@lru_cache(maxsize=1)
def _drawn() -> np.ndarray:
    """Return the text as indices of words, frequent words first."""
    weights = (np.arange(1, WORDS + 1) + SHIFT) ** -EXPONENT
    return np.random.default_rng(_SEED).choice(WORDS, _LENGTH, p=weights / weights.sum())


def _text() -> bytes:
    words = [_vocabulary()[i] for i in _drawn()]
    lines = (" ".join(words[k : k + _LINE]) for k in range(0, len(words), _LINE))
    return ("\n".join(lines) + "\n").encode()


def _tokens() -> list[str]:
    """Return the tokens by id; as in real vocabularies, ids are not in order of frequency."""
    return ["<unk>", *sorted(_vocabulary())]


def _tokenizer() -> bytes:
    tokens = _tokens()
    record: dict[str, object] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {token: k for k, token in enumerate(tokens)},
            "unk_token": "<unk>",
        },
    }
    return json.dumps(record).encode()


@lru_cache(maxsize=1)
def _counted() -> TokenCounts:
    tokens = _tokens()
    place = {token: k for k, token in enumerate(tokens)}
    ids = np.array([place[word] for word in _vocabulary()])[_drawn()]
    blocks = np.array(
        [np.bincount(part, minlength=len(tokens)) for part in np.array_split(ids, _BLOCKS)]
    )
    return TokenCounts(read_only(blocks.sum(axis=0)), tuple(tokens), read_only(blocks))


def _counts() -> bytes:
    return _counted().to_csv(blocks=True).encode()


def _words() -> bytes:
    found = _counted()
    return _table([("word", "count"), *found.most_common(found.n)])


def _model(m: int) -> bytes:
    """Return an unembedding: random rows about a common one, longer for frequent tokens."""
    from safetensors.numpy import save

    rng = np.random.default_rng([_SEED, m])
    W = rng.standard_normal((len(_tokens()), m)) + 0.3 * rng.standard_normal(m)
    W *= (10 + 0.5 * np.log1p(_counted().counts)[:, None]) / np.sqrt(m)
    return save({"lm_head.weight": W.astype(np.float16)}, {"format": "pt"})


def _losses() -> bytes:
    """Return the losses of 27 language models by width (arXiv 2505.10465, Figure 8b)."""
    source = files("empirical").joinpath("data/fig8_llm_loss.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(source))
    names = ("family", "model", "dataset", "m", "loss")
    shown = [[{**row, "loss": row["loss_total"]}[name] for name in names] for row in rows]
    return _table([names, *shown])


def _runs() -> bytes:
    """Return losses on a grid of parameters and tokens, from a known law with noise."""
    rng = np.random.default_rng(_SEED)
    rows: list[tuple[object, ...]] = [("params", "tokens", "loss")]
    law = CHINCHILLA
    for params in np.geomspace(5e7, 1e10, 8):
        for tokens in np.geomspace(1e9, 3e11, 8):
            loss = law["E"] + law["A"] / params ** law["alpha_N"]
            loss += law["B"] / tokens ** law["alpha_D"]
            loss *= np.exp(_NOISE * rng.standard_normal())
            rows.append((f"{params:.4g}", f"{tokens:.4g}", f"{loss:.5f}"))
    return _table(rows)


def _shapes() -> bytes:
    """Return losses of models of many shapes, from a known law with noise."""
    rng = np.random.default_rng(_SEED)
    rows: list[tuple[object, ...]] = [(*SHAPES, "loss")]
    for width in (384, 512, 768, 1024, 1536, 2048, 3072):
        for depth in (width / 128, width / 64, width / 32):
            for tokens in rng.choice(np.geomspace(1e9, 3e11, 12), 4, replace=False):
                values = {"d_model": width, "n_layers": round(depth), "num_tokens": tokens}
                loss = SHAPES_FLOOR
                for name, x in values.items():
                    c, alpha = SHAPES[name]
                    loss += c / x**alpha
                loss *= np.exp(_NOISE * rng.standard_normal())
                rows.append((width, round(depth), f"{tokens:.4g}", f"{loss:.5f}"))
    return _table(rows)


def _table(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _list_examples() -> dict[str, ExampleFile]:
    law = f"p_i ∝ 1/(i + {SHIFT})^{EXPONENT}"
    found = [
        ExampleFile(
            "words.csv",
            f"Counts of {WORDS} made-up words (word, count) in text.txt",
            "superscale predict --counts words.csv --top 1000 --m 10,20,40",
            _words,
        ),
        ExampleFile(
            "text.txt",
            f"{_LENGTH} words drawn from {law}",
            "superscale count text.txt --tokenizer tokenizer.json --blocks",
            _text,
        ),
        ExampleFile(
            "tokenizer.json",
            f"A tokenizer of {WORDS + 1} tokens for text.txt",
            "superscale count text.txt --tokenizer tokenizer.json --output counts.csv",
            _tokenizer,
        ),
        ExampleFile(
            "counts.csv",
            f"Counts of the tokens of text.txt by id, in {_BLOCKS} blocks; as superscale count "
            "--blocks writes them",
            "superscale zipf counts.csv --m 100,1000",
            _counts,
        ),
        ExampleFile(
            "losses.csv",
            "Losses of 27 language models by width (arXiv 2505.10465, Figure 8b): family, model, "
            "dataset, m, loss",
            "superscale fit losses.csv --group family,dataset --label model,dataset "
            "--cluster model",
            _losses,
        ),
        ExampleFile(
            "runs.csv",
            "Losses over parameters and tokens (params, tokens, loss), drawn from the law of arXiv "
            f"2203.15556 with noise of {_NOISE:.1%}",
            "superscale fit runs.csv --chinchilla --params params --tokens tokens",
            _runs,
        ),
        ExampleFile(
            "shapes.csv",
            "Losses over width, depth and tokens (d_model, n_layers, num_tokens, loss), drawn from "
            f"a law that was fitted to the models of arXiv 2602.05970 with noise of {_NOISE:.1%}",
            "superscale fit shapes.csv --axes d_model,n_layers,num_tokens",
            _shapes,
        ),
    ]
    for name, m in _WIDTHS.items():
        others = "small.safetensors large.safetensors"
        found.append(
            ExampleFile(
                name,
                f"The unembedding of a random model, m = {m}, with a row for each token of "
                "tokenizer.json",
                f"superscale analyze {name} --counts counts.csv"
                if name == "model.safetensors"
                else f"superscale analyze {others}",
                partial(_model, m),
            )
        )
    return {one.name: one for one in found}


EXAMPLES = _list_examples()
