"""The rule `field-never-read`: a field of a data class that nothing looks at."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree import field_never_read_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.reflective_access import data_fields, is_taken_apart
from esper_audit.source.usage.tree import Tree

KINDS = frozenset({ClassKind.DATACLASS, ClassKind.MODEL})
# What users of a library make for it to read; what else it offers, they read.
IS_TAKEN = re.compile(r"(Config|Configuration|Cfg|Arguments|Options|Settings|HParams)$")
READS = frozenset({Use.READ, Use.CALL, Use.STRING, Use.DELETE, Use.BASE, Use.DECORATOR})


class FieldNeverRead(TreeRule):
    """A field is filled, and nothing reads it.

    What: a field of a dataclass or model that nothing in the tree reads, of an object that may be of that
    class, or spelled in a string.

    Why: every caller has to make up a value for it, and whoever changes it believes to change something.

    Quiet: classes that a package offers, or a library has in public, but for those that are named as what
    its users fill for it (`...Config`, `...Options`, ...); a class that nothing uses, or of which less than
    a third of the fields are read; a model that is passed on as a value; a class that has a base outside
    the tree, or that stands, has a base, is used or has a base used in a file with a word for taking objects
    apart (`asdict`, `vars(`, `__dict__`, `getattr(x, name)`, `msgspec`, `_target_`, ...), and what stands in a
    field of such a class; named tuples (unpacking reads them) and typed dicts; class variables; a name that
    is read of an object of which nothing is known.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "38 of 38 read were right (timm, botorch, espnet, kornia and 3 more)"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the fields whose name nothing reads, of classes of which most are read."""
        fields: dict[Symbol, list[Symbol]] = defaultdict(list)
        for field, owner in data_fields(tree, KINDS):
            fields[owner].append(field)
        for owner, of_owner in fields.items():
            unread = [field for field in of_owner if not _may_be_read(tree, field)]
            if not unread or 3 * len(unread) > 2 * len(of_owner) or not _is_used_here(tree, owner):
                continue
            for field in unread:
                answer = tree.index.references(field, READS)
                if not answer.is_complete:
                    yield tree.undecided(field, answer)
                elif not answer.items:
                    name = f"{owner.short}.{field.short}"
                    yield tree.at_symbol(field, f"`{name}` is filled and never read")


def _may_be_read(tree: Tree, field: Symbol) -> bool:
    """Return whether a field is read of an object of its class, or of one that nothing is known of."""
    return any(hit.use in READS for hit in tree.uses.of(field))


def _is_used_here(tree: Tree, owner: Symbol) -> bool:
    """Return whether the tree uses the objects of a class, field by field, and no user of a library does."""
    if tree.outside.is_offered(owner) and not IS_TAKEN.search(owner.short):
        return False
    uses = tree.index.references(owner).items
    if all(use.use in (Use.IMPORT, Use.EXPORT) for use in uses):
        return False
    return not is_taken_apart(tree, owner, by_class=owner.class_kind is ClassKind.MODEL)
