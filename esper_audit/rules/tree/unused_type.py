"""The rule `unused-type`: a type that nothing is said to be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree import unused_type_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import DefinitionKind, Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Reference, Symbol
from esper_audit.source.usage.reflective_access import collects_subclasses
from esper_audit.source.usage.tree import Tree

DESCRIBES = frozenset(
    {ClassKind.DATACLASS, ClassKind.NAMED_TUPLE, ClassKind.TYPED_DICT, ClassKind.ENUM}
    | {ClassKind.PROTOCOL, ClassKind.MODEL}
)
# Where bases are from that keep no list of what derives from them.
FORGETFUL = re.compile(r"(builtins|typing|typing_extensions|abc|enum|collections|msgspec|torch)\.")
# Stubs describe what runs elsewhere; templates are there to be copied.
OF_NO_USE = re.compile(r"\.pyi$|template")
# What other linters say of private types that nothing uses.
SAID_SO = re.compile(r"#\s*noqa:.*\b(PYI018|PYI046|PYI047|PYI049)\b")
NO_USE = frozenset({Use.IMPORT, Use.EXPORT})


class UnusedType(TreeRule):
    """Nothing is of this type.

    What: a dataclass, NamedTuple, TypedDict, enum, Protocol, model or any other class, that nothing in
    the tree calls, annotates with, derives from, reads or spells in a string; imports alone do not count.

    Why: a type is a promise about data. One that nothing carries misleads whoever reads it, and is
    kept up to date for nobody.

    Quiet: what a module or package offers (`__all__`, a package's `__init__`, a star import of one), or,
    in a library, a public name: its users may take it, as they may one with a docstring in a private
    module; stub files and templates; what a `noqa` says to be unused on purpose; classes with a
    decorator that may register them, with a base in the tree that collects its subclasses
    (`__init_subclass__`, `__subclasses__`, `issubclass`), with a base of some other package, with a
    metaclass, or nested in a class; what says that it is kept for compatibility; tests, scripts and
    examples; entry points; names that documentation or configuration spells; a use whose owner is not
    known but has the name; a tree in which a file that holds the name could not be read.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = (
        "9 of 10 read were right (torchrl, mypy, libcst, narwhals, torchgen, pip; none in 18 more)"
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the types of production code that nothing uses."""
        for symbol in tree.in_scope(tree.index.all_symbols({DefinitionKind.CLASS})):
            if _is_public(tree, symbol) or not self._is_meant(tree, symbol):
                continue
            answer = tree.index.references(symbol)
            near = tree.index.mentions(symbol.short, under=symbol.path)
            if any(_is_use(reference, symbol) for reference in (*answer.items, *near.items)):
                continue
            if tree.spelled_words.has_beside(symbol.short):
                continue
            if not answer.is_complete:
                yield tree.undecided(symbol, answer)
                continue
            kind = symbol.class_kind if symbol.class_kind in DESCRIBES else "class"
            message = f"nothing is a `{symbol.short}`: this {kind} is defined and never used"
            yield tree.at_symbol(symbol, message)

    def _is_meant(self, tree: Tree, symbol: Symbol) -> bool:
        """Return whether nothing but the mentions of a class can use it: no base, decorator or metaclass."""
        if SAID_SO.search(tree.text(symbol).partition("\n")[0]):
            return False
        if "." in symbol.symbol or OF_NO_USE.search(symbol.path):
            return False
        if tree.outside.is_kept_for_others(tree.text(symbol)):
            return False
        definition = tree.index.definition(symbol)
        made_by = 1 if symbol.class_kind is ClassKind.DATACLASS else 0
        if len(definition.decorators) > made_by or "metaclass" in "".join(definition.keywords):
            return False
        kin = tree.index.resolver.kin
        if not all(map(FORGETFUL.match, kin.foreign_bases(symbol.key))):
            return False
        return not any(collects_subclasses(tree, base) for base in kin.order(symbol.key))


def _is_public(tree: Tree, symbol: Symbol) -> bool:
    """Return whether something outside the tree may use a class: its packaging, or a user of the library."""
    if tree.outside.is_entry(symbol) or tree.outside.is_offered(symbol):
        return True
    is_documented = tree.index.definition(symbol).documented and not symbol.is_private
    return is_documented and tree.outside.is_of_library(symbol)


def _is_use(reference: Reference, symbol: Symbol) -> bool:
    return reference.use not in NO_USE and not symbol.holds(reference.place)
