"""The rule `field-never-set`: a field that always has its default."""

from __future__ import annotations

import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree import field_never_set_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Caller, Passing, QueryResult, Symbol
from esper_audit.source.index.reference_table import ResolvedMention
from esper_audit.source.usage.reflective_access import data_fields, has_reflective_access
from esper_audit.source.usage.tree import Tree

ASSIGNS = frozenset({Use.WRITE, Use.DELETE})
# Code that may set a field by a name in a string.
WRITES_BY_NAME = re.compile(r"\bsetattr\b|replace\(|\*\*|__dict__|\bvars\(")
KINDS = frozenset({ClassKind.DATACLASS, ClassKind.MODEL, ClassKind.NAMED_TUPLE})


class FieldNeverSet(TreeRule):
    """A field always has its default.

    What: a field with a constant default, of a dataclass, model or named tuple that the tree
    instantiates, that no constructor call passes, no `replace` names and nothing assigns; tests do
    not count.

    Why: it looks like an option, is passed around and decides branches, but has only one value.

    Quiet: classes that a package exports, or that are public in a library, as their users may set
    it; fields with a private name; constructor calls with `*args` or `**kwargs`; a class that is
    passed on as a value, has a base outside the tree, or is defined or used in a file with
    reflective access; fields with a name that something assigns or names in a string, except a
    function such as `to_dict` that reads the field to store it under its name.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "no finding in 30 packages: most export their classes"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the fields that no constructor call and no assignment sets."""
        texts = _texts_with_replace(tree, in_tests=False)
        tests = _texts_with_replace(tree, in_tests=True)
        for field, owner in data_fields(tree, KINDS):
            if not _is_option(tree, field) or tree.external_callers.is_public_api(owner):
                continue
            calls = _constructions(tree, owner, field.short)
            in_program = [c for c in calls.items if c.place.role is not Role.TEST]
            if not in_program or any(c.passing is not Passing.OMITS for c in in_program):
                continue
            if _is_replaced(texts, field) or has_reflective_access(tree, owner):
                continue
            if not calls.is_complete:
                yield tree.undecided(field, calls)
            else:
                is_set = (
                    any(c.passing is not Passing.OMITS for c in calls.items)
                    or _is_assigned_by_tests(tree, field)
                    or _is_replaced(tests, field)
                )
                yield tree.at_symbol(field, _message(owner, field, by_tests=is_set))


def _is_option(tree: Tree, field: Symbol) -> bool:
    """Return whether callers may set a field and nothing in the program assigns it later."""
    if field.short.startswith("_") or not tree.index.definition(field).literal:
        return False
    hits = [h for h in tree.reference_table.of(field) if h.role is not Role.TEST]
    readers = {(h.module.path, h.running_function) for h in hits if h.use is Use.READ}
    return not any(
        hit.use in ASSIGNS or (hit.use is Use.STRING and not _is_output(tree, hit, readers))
        for hit in hits
    )


def _is_assigned_by_tests(tree: Tree, field: Symbol) -> bool:
    hits = tree.reference_table.of(field)
    return any(hit.use in ASSIGNS and hit.role is Role.TEST for hit in hits)


def _is_output(tree: Tree, hit: ResolvedMention, readers: set[tuple[str, str]]) -> bool:
    """Return whether a string is the name under which a function stores the value that it reads."""
    path, function = hit.module.path, hit.running_function
    symbol = tree.index.symbol(path, function) if function else None
    if symbol is None or (path, function) not in readers:
        return False
    return WRITES_BY_NAME.search(tree.text(symbol)) is None


def _message(owner: Symbol, field: Symbol, *, by_tests: bool) -> str:
    name = f"{owner.short}.{field.short}"
    if by_tests:
        return f"only tests set `{name}`: in the program it always has its default"
    return f"nothing sets `{name}`: it always has its default"


def _constructions(tree: Tree, owner: Symbol, field: str) -> QueryResult[Caller]:
    """Return the constructor calls of a class and of its subclasses."""
    below = map(tree.index.of_key, tree.index.resolver.hierarchy.subclasses(owner.key))
    answers = [tree.index.callers(class_, field) for class_ in (owner, *below)]
    problems = {problem for answer in answers for problem in answer.not_looked_at}
    return QueryResult([caller for answer in answers for caller in answer.items], sorted(problems))


def _texts_with_replace(tree: Tree, *, in_tests: bool) -> list[str]:
    """Return the texts of the tests, or of all other files, that mention `replace`."""
    mentions = [m for name in ("replace", "_replace") for m in tree.index.mentions(name).items]
    paths = {m.place.path for m in mentions if (m.place.role is Role.TEST) == in_tests}
    sources = (tree.source(path) for path in sorted(paths))
    return [source.text for source in sources if source is not None]


def _is_replaced(texts: list[str], field: Symbol) -> bool:
    """Return whether a call of `replace` names a field."""
    named = re.compile(rf"replace\((?:[^()]|\([^()]*\))*?\b{re.escape(field.short)}\s*=")
    return any(named.search(text) for text in texts)
