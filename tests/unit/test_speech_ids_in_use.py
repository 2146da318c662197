"""What the call flows match on is what the grammars can say, and a cry for help is heard in each of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ivr.speech.grammar import grammar_names, load_grammar

CALLFLOWS = sorted((Path(__file__).resolve().parents[2] / "ivr" / "callflows").glob("*.py"))
TREES = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in CALLFLOWS}
CONSTANTS = {
    target.id: node.value.value
    for tree in TREES.values()
    for node in tree.body
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    for target in node.targets
    if isinstance(target, ast.Name) and target.id.isupper()
}
"""Of all flows: one may ask with the grammar that another names."""
WITHOUT_A_CASE = {
    "triage.py": "every answer but a clear word that he is safe is need, distress among them",
    "dialled.py": "hands every answer on, and asks with its caller's grammar",
}


def said_cases(node: ast.AST) -> list[ast.MatchClass]:
    return [
        found
        for found in ast.walk(node)
        if isinstance(found, ast.MatchClass) and isinstance(found.cls, ast.Name) and found.cls.id == "Said"
    ]


def matched(tree: ast.AST) -> set[str]:
    """`case Said("accept")`, `case Said("yes" | "call_back")` of a flow: the ids."""
    return {
        str(value.value.value)
        for case in said_cases(tree)
        for pattern in case.patterns
        for value in ast.walk(pattern)
        if isinstance(value, ast.MatchValue) and isinstance(value.value, ast.Constant)
    }


def asked_with(tree: ast.AST) -> set[str]:
    """The grammar of every `Expect("12", ACCEPT)`, written out or as a constant."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Expect":
            for argument in [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "grammar")]:
                if isinstance(argument, ast.Name):
                    names.add(str(CONSTANTS[argument.id]))
                else:
                    assert isinstance(argument, ast.Constant), "a grammar is written out or a constant"
                    names.add(str(argument.value))
    return names


ASKING = {name: grammars for name, tree in TREES.items() if (grammars := asked_with(tree))}


def answers_matched(tree: ast.AST) -> list[ast.Match]:
    """Every `match` on an answer: one that has a case of what was said."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Match) and said_cases(node)]


def test_the_flows_that_ask_by_voice_are_found() -> None:
    assert {"legs.py", "helpers.py", "recall.py", "triage.py", "wish.py"} <= ASKING.keys()


def test_every_grammar_that_a_flow_asks_with_exists() -> None:
    assert {name for grammars in ASKING.values() for name in grammars} <= set(grammar_names())


@pytest.mark.parametrize("flow", ASKING)
def test_every_id_that_a_flow_matches_can_be_said_in_answer_to_it(flow: str) -> None:
    known = {meant for name in ASKING[flow] for meant in load_grammar(name).ids}
    assert matched(TREES[flow])
    assert matched(TREES[flow]) <= known


@pytest.mark.parametrize("flow", [name for name in TREES if answers_matched(TREES[name])])
def test_a_cry_for_help_has_a_case_of_its_own_in_every_answer(flow: str) -> None:
    deaf = [
        match.lineno
        for match in answers_matched(TREES[flow])
        if not any("is_distress" in case.kwd_attrs for case in said_cases(match))
    ]
    assert (deaf != []) == (flow in WITHOUT_A_CASE), f"{flow}, lines {deaf}"
