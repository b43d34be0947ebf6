"""Reading only the slices that hold a candidate finds what reading whole files finds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.real_source import library_modules, own_modules

from esper_audit.engine.file_checker import check_source
from esper_audit.engine.triggers import TriggerTable
from esper_audit.findings.finding import Category, Finding, Severity
from esper_audit.rules.node_types import CST_NODE_TYPES
from esper_audit.rules.registry import discover
from esper_audit.rules.rule import CstRule, Reach, Rule, Triggers, Violation
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.node_view import View
from esper_audit.source.syntax.source import Source, parse

# Slow: some 300 real files are checked with the prefilter and without.
pytestmark = pytest.mark.slow

FILES = [*own_modules(), *library_modules(150)]
PARTS = 10
ANYTHING: TypeAlias = "cst.CSTNode"


class Everything(CstRule):
    """Speaks wherever it is asked, and says what it can see from there."""

    id = "everything"
    contract = "no-hasattr"
    category = Category.API_CONTRACT
    severity = Severity.P4

    def check(self, node: ANYTHING, view: View) -> Iterator[Violation]:
        names = [function.name for function in view.functions(node)]
        yield Violation(node, f"{type(node).__name__} in {names} is {view.resolve(node)}")


def rule(triggers: Triggers, reach: Reach = Reach.STATEMENT, name: str = "everything") -> CstRule:
    members = {"triggers": triggers, "reach": reach, "id": name}
    made = type("Everything", (Everything,), members)()
    assert isinstance(made, CstRule)
    return made


class EverywhereInAst(Rule):
    """Reports every candidate, with what a file view knows of it."""

    id = "everything"
    contract = "no-hasattr"
    category = Category.API_CONTRACT
    severity = Severity.P4

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        assert isinstance(node, (ast.expr, ast.stmt, ast.excepthandler))
        names = [function.name for function in file.functions(node)]
        kind = CST_NAMES[type(node)]
        yield Violation(node, f"{kind} in {names} is {file.resolve(node)}")


CST_NAMES = {kind: name for name, kinds in CST_NODE_TYPES.items() for kind in kinds}


def ast_rule(triggers: Triggers) -> Rule:
    made = type("EverywhereInAst", (EverywhereInAst,), {"triggers": triggers, "id": "everything"})()
    assert isinstance(made, Rule)
    return made


def found(text: str, *rules: CstRule | Rule, prefilter: bool) -> list[Finding]:
    source = parse("a.py", text.encode())
    assert isinstance(source, Source), source
    result = check_source(source, TriggerTable.of(rules), prefilter=prefilter)
    assert result.not_analysed == []
    return result.findings


@pytest.mark.parametrize("part", range(PARTS))
def test_the_prefilter_loses_and_adds_nothing_on_real_files(part: int) -> None:
    prefilter = TriggerTable.of([kind() for kind in discover().values()])
    read, spoken = 0, 0
    for file in FILES[part::PARTS]:
        source = parse(file.name, file.read_bytes())
        assert isinstance(source, Source), source
        whole = check_source(source, prefilter, prefilter=False)
        if whole.not_analysed:
            continue
        assert check_source(source, prefilter) == whole, file
        read, spoken = read + 1, spoken + len(whole.findings)
    assert read > len(FILES) // PARTS - 3
    assert spoken >= 0


PIECES = {
    "an elif": "if a:\n    b()\nelif t():\n    c()\nelse:\n    t()\n",
    "an except clause": "try:\n    t()\nexcept t():\n    t()\nelse:\n    t()\nfinally:\n    t()\n",
    "a guard": "match a:\n    case b if t(): t()\n    case _: t()\n",
    "neighbours": "a = 1; t(); b = t()\n",
    "a backslash": "if a: \\\n    t()\nx = 1; \\\n  t()\n",
    "a decorator": "@t()\n@u(t())\nclass C(t(), k=t()):\n    @t()\n    def f(self, a=t()) -> t(): t()\n",
    "a form feed": "def f():\n    a\n\f\ndef g():\n\f    t()\n",
    "nested functions": "def f():\n    def g():\n        t()\n        async def h(): await t()\n    t()\n",
    "lambdas and comprehensions": "x = [lambda: t() for _ in t() if t()]\n",
    "a string over lines": "x = '''\nt()\n'''; t()\n",
    "an f-string": "x = f'{t()!r:>{t()}}'\n",
    "one line of two blocks": "if a: t(); b()\nfor c in t(): t()\n",
    "an alias": "import m.t as u\nu()\ndef f():\n    from m import t as v\n    v()\n    w = t\n    w()\n",
    "with": "with t() as a, b(t()):\n    t()\n",
    "calls inside calls": "t(t(t()), k=t())\n",
    "tabs": "if a:\n\tt()\n\tif b:\n\t\tt()\n",
    "no newline at the end": "def f():\n    return t()",
    "comments around": "# t()\nt()  # t()\n    # t()\nif a:\n    # b\n    t()\n# c\n",
    "wide characters": "é = 'ü'; t('漢', t())\nif é: t()\n",
    "loops": "async def f():\n    async for a in t():\n        t()\n    else:\n        t()\n    while t(): t()\n",
    "star": "try:\n    t()\nexcept* t() as e:\n    t()\n",
}


@pytest.mark.parametrize("reach", Reach)
@pytest.mark.parametrize("text", PIECES.values(), ids=PIECES)
def test_the_prefilter_loses_and_adds_nothing_on_a_hard_piece(text: str, reach: Reach) -> None:
    calls = rule(Triggers(calls=frozenset({"t"})), reach)
    whole = found(text, calls, prefilter=False)
    assert found(text, calls, prefilter=True) == whole
    calls_of_t = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and is_t(n.func)]
    assert len(whole) >= max(1, len(calls_of_t))


def is_t(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "t"


@pytest.mark.parametrize("kind", sorted(CST_NODE_TYPES))
@pytest.mark.parametrize("text", PIECES.values(), ids=PIECES)
def test_every_kind_of_node_is_found_alike(text: str, kind: str) -> None:
    nodes = rule(Triggers(nodes=frozenset({kind})))
    assert found(text, nodes, prefilter=True) == found(text, nodes, prefilter=False)


@pytest.mark.parametrize("kind", sorted(CST_NODE_TYPES))
@pytest.mark.parametrize("text", PIECES.values(), ids=PIECES)
def test_a_file_view_agrees_with_libcst_on_places_functions_and_names(text: str, kind: str) -> None:
    if kind == "ExceptHandler" and "except*" in text:
        pytest.skip("LibCST has a node type of its own for `except*`, `ast` has not")
    through_libcst = found(text, rule(Triggers(nodes=frozenset({kind}))), prefilter=True)
    name = CST_NODE_TYPES[kind][0].__name__
    through_ast = found(text, ast_rule(Triggers(nodes=frozenset({name}))), prefilter=True)
    assert places(through_ast) == places(through_libcst)


def places(findings: list[Finding]) -> list[tuple[object, str]]:
    return [(finding.location, finding.message) for finding in findings]


@pytest.mark.parametrize(
    ("triggers", "lines"),
    [
        (Triggers(calls=frozenset({"relu"})), [2]),
        (Triggers(attributes=frozenset({"data"})), [3, 3]),
        (Triggers(keywords=frozenset({"seed"})), [4]),
        (Triggers(nodes=frozenset({"Assert"})), [5]),
        (Triggers(nodes=frozenset({"Assert"}), words=frozenset({"elsewhere"})), []),
        (Triggers(nodes=frozenset({"Assert"}), parts=frozenset({"x.da"})), [5]),
        (Triggers(calls=frozenset({"relu"}), attributes=frozenset({"data"})), [2, 3, 3]),
    ],
)
def test_each_kind_of_trigger_names_its_nodes(triggers: Triggers, lines: list[int]) -> None:
    text = "import torch as t\nt.relu(1)\nx.data = y.data.z\nf(seed=1)\nassert x\n"
    assert [f.location.line for f in found(text, rule(triggers), prefilter=True)] == lines


def test_a_rule_asked_by_two_triggers_speaks_once() -> None:
    twice = rule(
        Triggers(calls=frozenset({"t"}), keywords=frozenset({"k"}), nodes=frozenset({"Call"}))
    )
    assert len(found("t(k=1)\n", twice, prefilter=True)) == 1


def test_what_may_match_refuses_is_not_read() -> None:
    refusing = type(
        "Refusing",
        (Everything,),
        {"triggers": Triggers(calls=frozenset({"t"})), "id": "r", "may_match": lambda *_: False},
    )
    assert found("t()\n", refusing(), prefilter=True) == []


STATEMENTS = st.recursive(
    st.sampled_from(["t()", "a = t(t())", "a; t()", "assert t(), t", "return_ = [t() for t in b]"]),
    lambda inner: st.builds(
        lambda head, body: (
            head + "\n" + "\n".join("    " + line for s in body for line in s.split("\n"))
        ),
        st.sampled_from(
            [
                "if t():",
                "def f(a=t()):",
                "@t()\nclass C:",
                "with t():",
                "for t in t():",
                "while t():",
            ]
        ),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


@given(st.lists(STATEMENTS, min_size=1, max_size=4), st.sampled_from(list(Reach)))
def test_the_prefilter_loses_and_adds_nothing_whatever_the_nesting(
    blocks: list[str], reach: Reach
) -> None:
    text = "\n".join(blocks) + "\n"
    calls = rule(Triggers(calls=frozenset({"t"})), reach)
    statements = rule(Triggers(nodes=frozenset({"FunctionDef", "If"})), name="statements")
    whole = found(text, calls, statements, prefilter=False)
    assert found(text, calls, statements, prefilter=True) == whole
