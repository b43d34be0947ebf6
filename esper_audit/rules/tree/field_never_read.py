"""The rule `field-never-read`: a field that is set and never read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree import field_never_read_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.reflective_access import data_fields, has_reflective_access
from esper_audit.source.usage.tree import Tree

KINDS = frozenset({ClassKind.DATACLASS, ClassKind.MODEL})
# Classes that users of a library fill and the library reads; other public classes users read.
FILLED_BY_USERS = re.compile(r"(Config|Configuration|Cfg|Arguments|Options|Settings|HParams)$")
READS = frozenset({Use.READ, Use.CALL, Use.STRING, Use.DELETE, Use.BASE, Use.DECORATOR})


class FieldNeverRead(TreeRule):
    """A field is set and never read.

    What: a field of a dataclass or model that nothing in the tree reads from an object that may be
    an instance of that class, or names in a string; tests do not count.

    Why: every caller has to supply a value for it, and a change of the value has no effect.

    Quiet: classes that a package exports, or that are public in a library, except for classes that
    users fill for the library to read (`...Config`, `...Options`, ...); a class without uses, or
    with less than a third of its fields read; a model that is passed on as a value; a class with a
    base outside the tree; a class that is defined or used, or whose base is, in a file with
    reflective access (`asdict`, `vars(`, `__dict__`, `getattr(x, name)`, `msgspec`, `_target_`, ...),
    and the types of its fields; named tuples, which unpacking reads, and typed dicts; class
    variables; a name that is read from an object of unknown class.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "38 of 38 findings were correct (timm, botorch, espnet, kornia and 3 more)"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the unread fields of classes with mostly read fields."""
        fields: dict[Symbol, list[Symbol]] = defaultdict(list)
        for field, owner in data_fields(tree, KINDS):
            fields[owner].append(field)
        for owner, all_fields in fields.items():
            unread = [field for field in all_fields if not _is_possibly_read(tree, field)]
            if (
                not unread
                or 3 * len(unread) > 2 * len(all_fields)
                or not _is_used_here(tree, owner)
            ):
                continue
            for field in unread:
                answer = tree.index.references(field, READS)
                if not answer.is_complete:
                    yield tree.undecided(field, answer)
                    continue
                roles = {reference.place.role for reference in answer.items}
                if roles <= {Role.TEST}:
                    readers = "only tests read it" if roles else "never read"
                    yield tree.at_symbol(
                        field, f"`{owner.short}.{field.short}` is set and {readers}"
                    )


def _is_possibly_read(tree: Tree, field: Symbol) -> bool:
    """Return whether the program reads a field from an object of its class or of an unknown class."""
    hits = tree.reference_table.of(field)
    return any(hit.use in READS and hit.role is not Role.TEST for hit in hits)


def _is_used_here(tree: Tree, owner: Symbol) -> bool:
    """Return whether only the tree reads the objects of a class, and field by field."""
    if tree.external_callers.is_public_api(owner) and not FILLED_BY_USERS.search(owner.short):
        return False
    uses = tree.index.references(owner).items
    if all(use.use in (Use.IMPORT, Use.EXPORT) for use in uses):
        return False
    return not has_reflective_access(tree, owner, by_class=owner.class_kind is ClassKind.MODEL)
