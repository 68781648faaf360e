"""The page "Which theory when" shows the records of the theories, as they are."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_table_of_the_page_is_that_of_the_records():
    path = ROOT / "docs" / "_extensions" / "theories_table.py"
    spec = importlib.util.spec_from_file_location("theories_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.PAGE.read_text(encoding="utf-8")
    assert module.insert(page) == page, "run python docs/_extensions/theories_table.py"
    assert module.insert(page.replace("3.1 %", "0.1 %")) == page  # made anew, not kept
    # As Sphinx reads it: this page is renewed, another is left alone.
    sources = [page.replace("3.1 %", "0.1 %")], ["x"]
    module.renew(None, "science/theories", sources[0])
    module.renew(None, "science/mean_field", sources[1])
    assert [one for (one,) in sources] == [page, "x"]
