"""The rule `field-never-set`: a field that always has its default."""

from __future__ import annotations

import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree import field_never_set_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Caller, Passing, QueryResult, Symbol
from esper_audit.source.usage.reflective_access import data_fields, has_reflective_access
from esper_audit.source.usage.tree import Tree

WRITES = frozenset({Use.WRITE, Use.DELETE, Use.STRING})
KINDS = frozenset({ClassKind.DATACLASS, ClassKind.MODEL, ClassKind.NAMED_TUPLE})


class FieldNeverSet(TreeRule):
    """A field always has its default.

    What: a field with a constant default, of a dataclass, model or named tuple that the tree
    instantiates, that no constructor call passes, no `replace` names and nothing assigns.

    Why: it looks like an option, is passed around and decides branches, but has only one value.

    Quiet: classes that a package exports, or that are public in a library, as their users may set
    it; fields with a private name; constructor calls with `*args` or `**kwargs`; a class that is
    passed on as a value, has a base outside the tree, or is defined or used in a file with
    reflective access; fields with a name that something assigns; tests that set it.

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
        texts = _texts_with_replace(tree)
        for field, owner in data_fields(tree, KINDS):
            if not _is_option(tree, field) or tree.external_callers.is_public_api(owner):
                continue
            calls = _constructions(tree, owner, field.short)
            if not calls.items or any(c.passing is not Passing.OMITS for c in calls.items):
                continue
            if _is_replaced(texts, field) or has_reflective_access(tree, owner):
                continue
            if not calls.is_complete:
                yield tree.undecided(field, calls)
            else:
                name = f"{owner.short}.{field.short}"
                message = f"nothing sets `{name}`: it always has its default"
                yield tree.at_symbol(field, message)


def _is_option(tree: Tree, field: Symbol) -> bool:
    """Return whether callers may set a field and nothing assigns it later."""
    if field.short.startswith("_") or not tree.index.definition(field).literal:
        return False
    return not any(hit.use in WRITES for hit in tree.reference_table.of(field))


def _constructions(tree: Tree, owner: Symbol, field: str) -> QueryResult[Caller]:
    """Return the constructor calls of a class and of its subclasses."""
    below = map(tree.index.of_key, tree.index.resolver.hierarchy.subclasses(owner.key))
    answers = [tree.index.callers(class_, field) for class_ in (owner, *below)]
    problems = {problem for answer in answers for problem in answer.not_looked_at}
    return QueryResult([caller for answer in answers for caller in answer.items], sorted(problems))


def _texts_with_replace(tree: Tree) -> list[str]:
    paths = {mention.place.path for mention in tree.index.mentions("replace").items}
    paths |= {mention.place.path for mention in tree.index.mentions("_replace").items}
    sources = (tree.source(path) for path in sorted(paths))
    return [source.text for source in sources if source is not None]


def _is_replaced(texts: list[str], field: Symbol) -> bool:
    """Return whether a call of `replace` names a field."""
    named = re.compile(rf"replace\((?:[^()]|\([^()]*\))*?\b{re.escape(field.short)}\s*=")
    return any(named.search(text) for text in texts)
