"""Sphinx extension: the table of theories on docs/science/theories.md, from their records.

At a build the passage between the two comments of the page is made anew. ``python
docs/_extensions/theories_table.py`` writes it into the page, for readers of the repository; a test
holds it to the records.
"""

from pathlib import Path
from typing import Any

from theory.registry import theories

PAGE = Path(__file__).parents[1] / "science" / "theories.md"
BEGIN, END = "<!-- theories: from theory/registry.py -->", "<!-- end of theories -->"
COLUMNS = {
    "theory": "theory", "summary": "what it says", "assumes": "what it assumes",
    "checked": "checked against", "error": "error there", "cost": "cost of a width",
}  # fmt: skip


def make_table() -> str:
    """Return the table in Markdown, with the files that hold the results beneath it."""
    table = theories()
    rows = [list(COLUMNS.values()), ["---"] * len(COLUMNS)]
    for row in table.to_dict("records"):
        cells = [str(row[name]).replace("|", "\\|") for name in COLUMNS]
        cells[0] = f"`{cells[0]}`" + (" (by default)" if row["shown"] == "by default" else "")
        rows.append(cells)
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    sources = (
        f"`{source}` ({', '.join(f'`{name}`' for name in part['theory'])})"
        for source, part in table.groupby("source", sort=False)
    )
    return "\n".join([*lines, "", f"Results are stored in {' and '.join(sources)}."])


def insert(text: str) -> str:
    """Return the page with the table between its two comments."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{make_table()}\n\n{END}{rest.partition(END)[2]}"


def renew(app: Any, name: str, source: list[str]) -> None:
    """Renew the table as the page is read."""
    if name == "science/theories":
        source[0] = insert(source[0])


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.connect("source-read", renew)
    return {"version": "1", "parallel_read_safe": True}


if __name__ == "__main__":
    PAGE.write_text(insert(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
