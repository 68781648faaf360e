import ast
from pathlib import Path

import pytest

import superscale as ss


@pytest.mark.parametrize("name", ss.__all__)
def test_every_name_is_there_and_documented(name):
    value = getattr(ss, name)
    assert value.__doc__ and value.__name__ == name
    assert name in dir(ss)


def test_unknown_names():
    with pytest.raises(AttributeError, match="no attribute 'pack_it'"):
        _ = ss.pack_it


def test_the_names_for_type_checkers_are_the_same():
    tree = ast.parse(Path(ss.__file__).read_text())
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    )
    typed = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == ss._HOME


def test_the_design_in_one_breath():
    words = ss.Frequencies.power_law(n=100, alpha=1.0)
    p = ss.predict(words, m=[10, 25])
    assert p.loss["weak"].shape == p.exponent["weak"].shape == (2,)
    run = ss.train(words, m=10, weight_decay=-1.0, seed=0, batch=16, steps=20)
    assert ss.monte_carlo_loss(run.model, words, samples=100).loss > 0
    c = ss.compare(words, m=[10, 25], seeds=1, batch=16, steps=20)
    assert len(c.to_dataframe()) == 2
