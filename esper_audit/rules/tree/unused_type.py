"""The rule `unused-type`: a type that is defined and never used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree import unused_type_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import DefinitionKind, Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Reference, Symbol
from esper_audit.source.usage.tree import Tree

NAMED_KINDS = frozenset(
    {ClassKind.DATACLASS, ClassKind.NAMED_TUPLE, ClassKind.TYPED_DICT, ClassKind.ENUM}
    | {ClassKind.PROTOCOL, ClassKind.MODEL}
)
# Modules whose classes keep no list of their subclasses.
NOT_COLLECTING = re.compile(
    r"(builtins|typing|typing_extensions|abc|enum|collections|msgspec|torch)\."
)
# Stubs describe code elsewhere, and templates are copied.
STUB_OR_TEMPLATE = re.compile(r"\.pyi$|template")
# Codes of other linters for unused private types.
DECLARED_UNUSED = re.compile(r"#\s*noqa:.*\b(PYI018|PYI046|PYI047|PYI049)\b")
NO_USE = frozenset({Use.IMPORT, Use.EXPORT})


class UnusedType(TreeRule):
    """A type is defined and never used.

    What: a dataclass, NamedTuple, TypedDict, enum, Protocol, model or any other class that nothing
    in the tree calls, annotates with, derives from, reads or names in a string; imports alone do not
    count.

    Why: a type is a promise about data. An unused type misleads its readers and must be maintained.

    Quiet: types that a module or package exports (`__all__`, a package's `__init__`, a star import of
    one); in a library, public names and documented names of private modules, as users may use them;
    stub files and templates; a `noqa` that declares the type unused; classes with a decorator that
    may register them, with a base in the tree that collects its subclasses (`__init_subclass__`,
    `__subclasses__`, `issubclass`), with a base of another package, with a metaclass, or nested in a
    class; types that are declared to be kept for compatibility; tests, scripts and examples; entry
    points; names in configuration, public names in documentation; a use whose owner is not known but that has the
    name; a tree in which a file with the name could not be read.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "9 of 10 findings were correct (torchrl, mypy, libcst, narwhals, torchgen, pip; none in 18 more)"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the types of production code that nothing uses."""
        for symbol in tree.in_scope(tree.index.all_symbols({DefinitionKind.CLASS})):
            if _is_public(tree, symbol) or not self._is_only_used_by_name(tree, symbol):
                continue
            answer = tree.index.references(symbol)
            near = tree.index.mentions(symbol.short, under=symbol.path)
            if any(_is_use(reference, symbol) for reference in (*answer.items, *near.items)):
                continue
            if tree.text_mentions.has_beside(
                symbol.short, in_prose=tree.external_callers.may_be_documented(symbol)
            ):
                continue
            if not answer.is_complete:
                yield tree.undecided(symbol, answer)
                continue
            kind = symbol.class_kind if symbol.class_kind in NAMED_KINDS else "class"
            message = f"the {kind} `{symbol.short}` is defined and never used"
            yield tree.at_symbol(symbol, message)

    def _is_only_used_by_name(self, tree: Tree, symbol: Symbol) -> bool:
        """Return whether a class can only be used by its name: no base, decorator or metaclass uses it."""
        if DECLARED_UNUSED.search(tree.text(symbol).partition("\n")[0]):
            return False
        if "." in symbol.symbol or STUB_OR_TEMPLATE.search(symbol.path):
            return False
        if tree.external_callers.is_kept_for_compatibility(tree.text(symbol)):
            return False
        definition = tree.index.definition(symbol)
        own_decorators = 1 if symbol.class_kind is ClassKind.DATACLASS else 0
        if len(definition.decorators) > own_decorators or "metaclass" in dict(definition.keywords):
            return False
        hierarchy = tree.index.resolver.hierarchy
        if not all(map(NOT_COLLECTING.match, hierarchy.foreign_bases(symbol.key))):
            return False
        return not any(map(tree.subclass_collectors.is_collecting, hierarchy.order(symbol.key)))


def _is_public(tree: Tree, symbol: Symbol) -> bool:
    """Return whether code outside the tree may use a class: the packaging or a user of the library."""
    if tree.external_callers.is_entry(symbol) or tree.external_callers.is_public_api(symbol):
        return True
    is_documented = tree.index.definition(symbol).documented and not symbol.is_private
    return is_documented and tree.external_callers.is_of_library(symbol)


def _is_use(reference: Reference, symbol: Symbol) -> bool:
    return reference.use not in NO_USE and not symbol.holds(reference.place)
