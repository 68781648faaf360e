"""Real frequencies: the thousand most frequent English words as features.

Run ``python examples/word_frequencies.py`` (a minute on two cores). It writes words.csv and the
figure words.png; it stores nothing else.

The counts come from the package wordfreq (pip install "superscale[words]"; its data are CC-BY-SA
and are not part of this project). They are written to a CSV file, fitted by a Zipf law, and used as
the frequencies of toy models. The same from a shell, with the file that it writes:

    superscale compare --counts words.csv --top 1000 --m 5,10,20,40
"""

import argparse
import csv
from pathlib import Path

import wordfreq

import superscale as ss


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="processes that train")
    parser.add_argument("--output", default="words", help="stem of the files to write")
    arguments = parser.parse_args()

    # Occurrences per billion words, most frequent first.
    table = Path(f"{arguments.output}.csv")
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["word", "per_billion"])
        for word in wordfreq.top_n_list("en", arguments.top):
            writer.writerow([word, round(1e9 * wordfreq.word_frequency(word, "en"))])

    counts = ss.counts.read_counts(table)
    frequencies = ss.Frequencies.from_counts(counts, top=arguments.top)
    print(frequencies)
    print(ss.counts.fit_zipf(counts), "\n")

    comparison = ss.compare(
        frequencies,
        m=[5, 10, 20, 40],
        seeds=arguments.seeds,
        steps=arguments.steps,
        workers=arguments.workers,
    )
    print(comparison)
    axes = comparison.plot()
    axes.set_title(f"the {frequencies.n} most frequent English words")
    axes.figure.savefig(f"{arguments.output}.png", dpi=150)
    print(f"wrote {table} and {arguments.output}.png")


if __name__ == "__main__":
    main()
