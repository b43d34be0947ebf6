"""The rule `unknown-string-default`: a misspelt name, or a member that a table lacks, selects a default."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import unknown_string_default_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.fallbacks.dispatch import dispatch_of, is_member, is_text
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, parameters, terminal_name, text_of
from esper_audit.text.phrases import quoted

MESSAGE = "`{}` takes `{}` for every `{}` that the table does not hold. Use `{}[{}]`, which raises"
OTHERS = "`{}` is made for every `{}` that no branch names, a misspelt one too. Name it, and raise for others"
FEWEST = 2
RESPELLING = frozenset({"lower", "upper", "strip", "casefold"})


class UnknownStringDefault(Rule):
    """A misspelt name selects a default.

    What: `TABLE.get(name, default)` where `TABLE` is a dict of the file or class with strings for keys, `name`
    is a parameter, and `default` is one of the table's own values; a chain of comparisons of a
    parameter with texts, each of which returns a new object, with one more object for all others; also
    where the keys are members of an enumeration of the file that has further ones.

    Why: `activation="swihs"` trains with another activation than was asked for, without a word.

    Quiet: a default that is none of the values (None, a marker, the name itself); tables that the file
    fills elsewhere; names that are tested with `in` first.

    Off by default: the string is often checked before, or the default is the strictest.

    Tickets: real code
    """

    contract = "unknown-values"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P3
    default = False
    precision = (
        "0 of 1 by readers in 27 packages seen last; before: 1 of 1 (torchrl); 0 findings in 46 other "
        "packages"
    )
    triggers = Triggers(
        calls=frozenset({"get"}), nodes=frozenset({"If"}), words=frozenset({"get", "return"})
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls, and branches on one comparison that end in a return."""
        return [n for n in nodes if not isinstance(n, ast.If) or _is_branch(n)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report lookups of parameters whose default is one of the table's values."""
        if isinstance(node, ast.If):
            yield from _of_branches(node, file)
            return
        if not isinstance(node, ast.Call) or len(node.args) != 2 or node.keywords:
            return
        key, default = node.args
        table = node.func.value if isinstance(node.func, ast.Attribute) else None
        if table is None or not _is_parameter(key, file):
            return
        found = table if isinstance(table, ast.Dict) and _is_table(table) else None
        found = found or file.once(_tables).get((_scope(table, file), dotted(table)))
        found = found or file.once(_tables).get((None, dotted(table)))
        if found is None or _is_tested(key, table, file) or _is_complete(found, file):
            return
        if text_of(default) in {text_of(value) for value in found.values}:
            name = "the table" if isinstance(table, ast.Dict) else text_of(table)
            text = text_of(key)
            code = quoted(file.code(node))
            yield Violation(node, MESSAGE.format(code, text_of(default), text, name, text))


def _of_branches(node: ast.If, file: FileView) -> Iterator[Violation]:
    """Report what a chain of comparisons of a parameter with texts makes for every other text."""
    dispatch = dispatch_of(node, file)
    functions = file.functions(node)
    if dispatch is None or not functions or not all(map(is_text, dispatch.values)):
        return
    last = dispatch.otherwise[-1]
    made = [_made(block[-1]) for block in (*dispatch.blocks, dispatch.otherwise)]
    is_given = any(dispatch.subject == p.arg for p in parameters(functions[-1].args))
    if is_given and len(dispatch.blocks) >= FEWEST and all(made) and len(dispatch.otherwise) == 1:
        code = quoted(file.code(last))
        yield Violation(last, OTHERS.format(code, dispatch.subject))


def _is_branch(node: ast.If) -> bool:
    return isinstance(node.test, ast.Compare) and isinstance(node.body[-1], ast.Return)


def _made(statement: ast.stmt) -> str:
    """Return the class of which a statement returns a new object, empty for any other statement."""
    value = statement.value if isinstance(statement, ast.Return) else None
    name = terminal_name(value.func) if isinstance(value, ast.Call) else ""
    return name if name[:1].isupper() else ""


def _tables(file: FileView) -> dict[tuple[ast.AST | None, str], ast.Dict]:
    """Return the dicts with strings for keys that a file binds once, by function and name.

    One of a class has the name with which its methods read it.
    """
    found: dict[tuple[ast.AST | None, str], ast.Dict] = {}
    bound: set[tuple[ast.AST | None, str]] = set()
    twice: set[tuple[ast.AST | None, str]] = set()
    plain = [(t, a.value) for a in file.nodes(ast.Assign) for t in a.targets]
    annotated = [(a.target, a.value) for a in file.nodes(ast.AnnAssign)]
    for target, value in [*plain, *annotated]:
        around = file.definitions(target)
        owner = around[-1] if around and isinstance(around[-1], ast.ClassDef) else None
        holders = ("self.", "cls.", f"{owner.name}.") if owner is not None else ("",)
        for place in [(_scope(target, file), holder + dotted(target)) for holder in holders]:
            if place in bound:
                twice.add(place)
            bound.add(place)
            if isinstance(value, ast.Dict) and _is_table(value):
                found[place] = value
    return {place: table for place, table in found.items() if place not in twice}


def _is_table(table: ast.Dict) -> bool:
    keys = [key for key in table.keys if key is not None and (is_text(key) or is_member(key))]
    return FEWEST <= len(keys) == len(table.keys)


def _is_complete(table: ast.Dict, file: FileView) -> bool:
    """Return whether a table of members holds all of its enumeration, or that is of another file."""
    members = [key for key in table.keys if isinstance(key, ast.Attribute)]
    if not members:
        return False
    known = file.once(class_table).by_name.get(dotted(members[0].value))
    bases = {terminal_name(base) for base in known.bases} if known is not None else set()
    if known is None or not any(base.endswith(("Enum", "Flag")) for base in bases):
        return True
    values = (s for s in known.body if isinstance(s, ast.Assign))
    names = {dotted(target) for value in values for target in value.targets}
    return names <= {member.attr for member in members}


def _scope(node: ast.expr, file: FileView) -> ast.AST | None:
    functions = file.functions(node)
    return functions[-1] if functions else None


def _is_parameter(key: ast.expr, file: FileView) -> bool:
    """Return whether a key is a parameter, or a parameter in lower or upper case, also by a local name."""
    origins = file.once(ValueOrigins).of(key, _respelt, calls=0)
    names = [origin.id for origin in origins if isinstance(origin, ast.Name)]
    given = {p.arg for f in file.functions(key) for p in parameters(f.args)}
    return bool(names) and len(names) == len(origins) and given.issuperset(names)


def _respelt(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the text that a method gives in another case, or without blanks."""
    is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    function = node.func if isinstance(node, ast.Call) and is_method else None
    is_same = isinstance(function, ast.Attribute) and function.attr in RESPELLING
    return function.value if isinstance(function, ast.Attribute) and is_same else None


def _is_tested(key: ast.expr, table: ast.expr, file: FileView) -> bool:
    """Return whether the file compares a key with a table, as in `key not in table`."""
    scope = _scope(key, file)
    return any(
        isinstance(c.ops[0], (ast.In, ast.NotIn))
        and text_of(c.left) in text_of(key)
        and text_of(table) in text_of(c.comparators[0])
        for c in file.nodes(ast.Compare)
        if _scope(c, file) is scope
    )
