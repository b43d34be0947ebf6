"""The rule `field-never-set`: a field that is always what its default says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree import field_never_set_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Caller, Passing, QueryResult, Symbol
from esper_audit.source.usage.reflective_access import data_fields, is_taken_apart
from esper_audit.source.usage.tree import Tree

WRITES = frozenset({Use.WRITE, Use.DELETE, Use.STRING})
KINDS = frozenset({ClassKind.DATACLASS, ClassKind.MODEL, ClassKind.NAMED_TUPLE})


class FieldNeverSet(TreeRule):
    """A field with a default that nothing ever sets.

    What: a field with a constant for its default, of a dataclass, model or named tuple that is made
    somewhere in the tree, that no construction passes, no `replace` names and nothing assigns.

    Why: it looks like a choice, is passed around and branched on, and has one value.

    Quiet: classes that a package offers, or a library has in public: its users set it; fields with a private
    name; constructions with `*args` or `**kwargs`; a class that is passed on
    as a value, has a base outside the tree, or stands in or is used in a file with a word for taking objects
    apart or putting them together; fields of the same name that something assigns; tests that set it.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "it found nothing in 30 packages: most offer their classes"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the fields that every construction leaves alone."""
        replacing = _texts_that_replace(tree)
        for field, owner in data_fields(tree, KINDS):
            if not _is_choice(tree, field) or tree.outside.is_offered(owner):
                continue
            made = _constructions(tree, owner, field.short)
            if not made.items or any(c.passing is not Passing.OMITS for c in made.items):
                continue
            if _is_replaced(replacing, field) or is_taken_apart(tree, owner):
                continue
            if not made.is_complete:
                yield tree.undecided(field, made)
            else:
                name = f"{owner.short}.{field.short}"
                message = f"nothing ever sets `{name}`: it is what its default says, everywhere"
                yield tree.at_symbol(field, message)


def _is_choice(tree: Tree, field: Symbol) -> bool:
    """Return whether a field is there for callers to set, and nothing sets it later."""
    if field.short.startswith("_") or not tree.index.definition(field).literal:
        return False
    return not any(hit.use in WRITES for hit in tree.uses.of(field))


def _constructions(tree: Tree, owner: Symbol, field: str) -> QueryResult[Caller]:
    """Return the calls of a class and of what derives from it."""
    below = map(tree.index.of_key, tree.index.resolver.kin.subclasses(owner.key))
    answers = [tree.index.callers(made, field) for made in (owner, *below)]
    problems = {problem for answer in answers for problem in answer.not_looked_at}
    return QueryResult([caller for answer in answers for caller in answer.items], sorted(problems))


def _texts_that_replace(tree: Tree) -> list[str]:
    paths = {mention.place.path for mention in tree.index.mentions("replace").items}
    paths |= {mention.place.path for mention in tree.index.mentions("_replace").items}
    sources = (tree.source(path) for path in sorted(paths))
    return [source.text for source in sources if source is not None]


def _is_replaced(texts: list[str], field: Symbol) -> bool:
    """Return whether a call of `replace` names a field, or passes what cannot be seen."""
    named = re.compile(rf"replace\((?:[^()]|\([^()]*\))*?\b{re.escape(field.short)}\s*=")
    return any(named.search(text) for text in texts)
