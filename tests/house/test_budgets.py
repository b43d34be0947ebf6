"""STYLE.md's budgets over both packages: where one fails, split the idea, not the lines."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("esper_audit", "esper_ref")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]
FUNCTION_LINES = 40
FILE_LINES = 300
SHELF_LINES = {
    "esper_audit/rules/file": 120,
    "esper_audit/probes/catalogue": 100,
    "esper_ref/blueprints": 100,
}
NESTING = 3
POSITIONAL = 5
# The signature of this host is the one that users of such systems know.
SIGNATURES_GIVEN = {"transformer"}
# One finds out whether torch is there before anything imports it, one registers what is beside it.
INITS_THAT_ACT = {"esper_ref", "blueprints"}
FACES = {"esper_audit"}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "misc", "common", "helpers", "helper", "base"}
CASES = {"VALID", "INVALID"}
REASONED = re.compile(
    r"(?:type: ignore(?:\[[^\]]*\])?|noqa(?:: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)*)?)(?P<rest>.*)"
)
Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
)

every_file = pytest.mark.parametrize("file", FILES, ids=NAMES)


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def functions(file: Path) -> Iterator[Function]:
    return (
        n for n in ast.walk(tree(file)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def lines_of(function: Function) -> int:
    """Return the lines of a function, decorators and docstring left out."""
    documented = ast.get_docstring(function, clean=False) is not None
    docstring = function.body[0] if documented else None
    spent = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - spent


def nesting(statements: list[ast.stmt]) -> int:
    """Return how many blocks stand inside each other; `elif` is no deeper than its `if`."""
    deepest = 0
    for statement in statements:
        if not isinstance(statement, BLOCKS):
            continue
        inside = [list(block) for block in blocks(statement)]
        deepest = max(deepest, 1 + max(map(nesting, inside), default=0))
        if isinstance(statement, ast.If) and is_elif(statement.orelse):
            deepest = max(deepest, nesting(statement.orelse))
    return deepest


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name, value in ast.iter_fields(statement):
        if name in ("handlers", "cases"):
            yield from (clause.body for clause in value)
        elif name in ("body", "orelse", "finalbody") and not (name == "orelse" and is_elif(value)):
            yield value


def is_elif(block: list[ast.stmt]) -> bool:
    return len(block) == 1 and isinstance(block[0], ast.If)


def case_lines(file: Path) -> int:
    """Return the lines that the cases of a rule take."""
    return sum(
        (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id in CASES
    )


def logic_lines(file: Path) -> int:
    """Return the lines of code: without cases, docstrings, imports, comments and blank lines."""
    silent = {n for node in ast.walk(tree(file)) for n in silent_lines(node)}
    lines = file.read_text(encoding="utf-8").splitlines()
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") and number not in silent
        for number, line in enumerate(lines, 1)
    )


def silent_lines(node: ast.AST) -> range:
    """Return the lines of a node that say nothing a reader has to follow step by step."""
    quiet: ast.stmt | None = None
    is_cases = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in CASES
    if is_cases or isinstance(node, ast.Import | ast.ImportFrom):
        assert isinstance(node, ast.stmt)
        quiet = node
    elif isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node):
        quiet = node.body[0]
    return range(quiet.lineno, (quiet.end_lineno or 0) + 1) if quiet else range(0)


@every_file
def test_a_function_fits_the_eye(file: Path) -> None:
    long = {
        f"{f.name}, line {f.lineno}": lines_of(f)
        for f in functions(file)
        if lines_of(f) > FUNCTION_LINES
    }
    assert long == {}, f"more than {FUNCTION_LINES} lines: give a part of it a name of its own"


@every_file
def test_a_file_holds_one_idea(file: Path) -> None:
    count = len(file.read_text(encoding="utf-8").splitlines())
    advice = "move an idea to a file named for it"
    assert count - case_lines(file) <= FILE_LINES, f"{count} lines, wanted {FILE_LINES}: {advice}"
    folder = file.parent.relative_to(ROOT).as_posix()
    limits = (lines for shelf, lines in SHELF_LINES.items() if folder.startswith(shelf))
    shelf = next(limits, FILE_LINES)
    code = logic_lines(file)
    assert code <= shelf, f"{code} lines of code, wanted {shelf}: {advice}"


@every_file
def test_no_code_is_nested_deeper_than_the_eye_follows(file: Path) -> None:
    deep = {
        f"{f.name}, line {f.lineno}": nesting(f.body)
        for f in functions(file)
        if nesting(f.body) > NESTING
    }
    assert deep == {}, (
        f"more than {NESTING} blocks inside each other: return early or name the inner part"
    )


@every_file
def test_a_function_is_not_called_with_a_row_of_values(file: Path) -> None:
    wide = {}
    for function in functions(file):
        positional = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        count = len([name for name in positional if name not in ("self", "cls")])
        if count > POSITIONAL and not is_command(function) and file.stem not in SIGNATURES_GIVEN:
            wide[f"{function.name}, line {function.lineno}"] = count
    assert wide == {}, (
        f"more than {POSITIONAL} positional parameters: group them, or make them keyword-only"
    )


def is_command(function: Function) -> bool:
    return any("click" in ast.unparse(decorator) for decorator in function.decorator_list)


@every_file
def test_nobody_asks_an_object_what_it_is(file: Path) -> None:
    asked = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and (node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) > 2))
    ]
    assert asked == [], "a Protocol, an abstract method or a declared default says it"


@every_file
def test_nothing_is_left_to_be_done_and_every_silence_has_its_reason(file: Path) -> None:
    found = []
    for token in tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            found += [f"line {token.start[0]}: {said}" for said in objections(token.string)]
    assert found == []


def objections(comment: str) -> Iterator[str]:
    """Yield what is wrong with a comment."""
    if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", comment):
        yield f"{comment}: do it or open a ticket"
    parts = [part.strip() for part in comment.split("#") if part.strip()]
    silences = [part for part in parts if re.match(r"(type: ignore|noqa)\b", part)]
    reasons = [part for part in parts if part not in silences]
    told = any(match["rest"].strip() for part in silences if (match := REASONED.match(part)))
    if silences and not reasons and not told:
        yield f"{comment}: say why behind it"


@every_file
def test_the_first_line_of_a_file_says_what_is_in_it(file: Path) -> None:
    docstring = ast.get_docstring(tree(file)) or ""
    first = docstring.partition("\n")[0]
    assert first, "no docstring"
    assert first.endswith((".", "?")), f"{first!r} is no sentence on one line"


@every_file
def test_a_file_is_named_for_what_it_knows(file: Path) -> None:
    assert file.stem not in NAMES_THAT_SAY_NOTHING


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.name == "__init__.py"], ids=lambda f: f.parent.name
)
def test_an_init_is_a_table_of_contents(file: Path) -> None:
    if file.parent.name in {"cli", *FACES}:
        pytest.skip("the door of the program: `cli/__init__.py` is where the entry point stands")
    others = [
        f"line {node.lineno}: {type(node).__name__}"
        for node in tree(file).body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    ]
    acts = file.parent.name in INITS_THAT_ACT
    assert len(others) == 1 if acts else others == []


TEMPLATES = [
    p
    for p in (ROOT / "esper_audit" / "reports" / "templates").rglob("*")
    if p.is_file() and p.suffix != ".py"
]
DOES_MORE = re.compile(
    r"{%-?\s*(set|macro|import|do)\b|\|\s*(sort|groupby|sum|length|count|unique|selectattr|rejectattr|min|max)\b"
)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_loops_and_prints(template: Path) -> None:
    found = [match.group(0) for match in DOES_MORE.finditer(template.read_text(encoding="utf-8"))]
    assert found == [], "sorting and counting is Python"


def test_the_budgets_are_asked_of_every_file() -> None:
    assert len(FILES) > 60
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(PACKAGES)


WALKS = frozenset({"walk", "scan", "collect", "children", "depth", "iter_child_nodes"})
RULE_CODE = sorted(
    path
    for folder in ("rules/file", "source/idioms")
    for path in (ROOT / "esper_audit" / folder).rglob("*.py")
)


def test_no_rule_walks_a_whole_file() -> None:
    """The engine walks a file once for all rules; a rule asks `FileView.nodes` and `FileView.once`."""
    assert len(RULE_CODE) > 20
    walks = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in RULE_CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _last_name(node.func) in WALKS
        if any(_last_name(argument) in ("tree", "module") for argument in node.args)
        and "duplication" not in path.parts
        and "branches" not in path.parts
    ]
    assert walks == []


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
