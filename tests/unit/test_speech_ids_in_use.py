"""What the call flows match on is what the grammars can say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ivr.speech.grammar import grammar_names, load_grammar

CALLFLOWS = sorted((Path(__file__).resolve().parents[2] / "ivr" / "callflows").glob("*.py"))


def _matched() -> Iterator[tuple[str, str]]:
    """`case Said("accept")` of every flow: file and id."""
    for path in CALLFLOWS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name) and node.cls.id == "Said":
                for pattern in node.patterns:
                    if isinstance(pattern, ast.MatchValue) and isinstance(pattern.value, ast.Constant):
                        yield path.name, str(pattern.value.value)


def _grammars() -> Iterator[tuple[str, str]]:
    """The grammar of every `Expect("12", ACCEPT)`, written out or as a constant of the module: file and name."""
    for path in CALLFLOWS:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Expect":
                for argument in [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "grammar")]:
                    if isinstance(argument, ast.Name) and argument.id in constants:
                        yield path.name, str(constants[argument.id])
                    elif isinstance(argument, ast.Constant):
                        yield path.name, str(argument.value)


def test_every_id_that_a_flow_matches_can_be_said() -> None:
    used = list(_matched())
    assert used
    known = {meant for name in grammar_names() for meant in load_grammar(name).ids}
    assert [one for one in used if one[1] not in known] == []


def test_every_grammar_that_a_flow_asks_with_exists() -> None:
    asked = list(_grammars())
    assert asked
    assert [one for one in asked if one[1] not in grammar_names()] == []
