"""Random programs do the same after they were saved and resumed; a hundred in every test run."""

from __future__ import annotations

import ast

import pytest

from tests.frames.fuzz.campaign import chunk, text_of
from tests.frames.fuzz.minimising import minimised

PROGRAMS = 100
REFUSED_AT_MOST = 0.1
SYNTAX = (
    *(ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Match, ast.TryStar, ast.Try, ast.With),
    *(ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    *(ast.Lambda, ast.ClassDef, ast.Nonlocal, ast.Global, ast.JoinedStr, ast.Starred),
    *(ast.NamedExpr, ast.AugAssign, ast.AnnAssign, ast.Compare, ast.Yield, ast.Assert),
    *(ast.Delete, ast.Raise, ast.Break, ast.Continue, ast.Import, ast.IfExp, ast.BoolOp),
)


@pytest.mark.timeout(120)
def test_a_program_does_the_same_when_it_is_saved_and_resumed(seed: int) -> None:
    total = chunk(range(seed * PROGRAMS, (seed + 1) * PROGRAMS))
    assert not total.differences
    assert total.refused <= PROGRAMS * REFUSED_AT_MOST
    assert total.restored > 20 * PROGRAMS


def test_the_programs_have_every_construct() -> None:
    texts = [ast.parse(text_of(seed)) for seed in range(60)]
    written = {type(node) for tree in texts for node in ast.walk(tree)}
    assert {kind.__name__ for kind in SYNTAX} <= {kind.__name__ for kind in written}


def test_a_program_is_made_small() -> None:
    def fails(text: str) -> str:
        return "same" if "await wait" in text and "finally" in text else ""

    text = next(text for text in map(text_of, range(100)) if fails(text))
    small = minimised(text, fails, seconds=3)
    assert fails(small)
    assert len(small) < len(text) / 4
