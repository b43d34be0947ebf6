"""Reflective access: code that reads or writes all fields of an object without naming one."""

from __future__ import annotations

import re

from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import DefinitionKind, Use
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.records import Reference, Symbol
from esper_audit.source.usage.framework_bases import INERT_BASES
from esper_audit.source.usage.tree import Tree

# What accesses fields without naming them; in the file of a class or of its uses, it may do so with the class.
REFLECTION = re.compile(
    r"\b(asdict|astuple|_asdict|fields\(|vars\(|locals\(|__dict__|__dataclass_fields__|__getstate__|__reduce__"
    r"|__reduce_ex__|__slots__|__match_args__|__getattr__|__getattribute__|__annotations__|attrgetter"
    r"|getattr\([^,]+,\s*[^\"'\s]|get_type_hints|to_builtins|msgspec|model_dump|dumps?\(|pickle"
    r"|HfArgumentParser|OmegaConf|ConfigStore|_target_)"
)
# Bases outside the tree that use no attribute of their subclasses.
HARMLESS_BASES = INERT_BASES | frozenset(
    {"object", "ABC", "Generic", "Protocol", "Exception", "ValueError", "RuntimeError"}
    | {"msgspec.Struct", "Struct", "pydantic.BaseModel", "BaseModel"}
    | {"torch.nn.Module", "nn.Module", "torch.nn.modules.module.Module"}
)


def owner_class(tree: Tree, member: Symbol) -> Symbol | None:
    """Return the class around a field, method or attribute."""
    owner = member.symbol.rpartition(".")[0]
    return tree.index.symbol(member.path, owner) if owner else None


def has_reflective_access(
    tree: Tree, owner: Symbol, *, by_class: bool = True, within: frozenset[str] = frozenset()
) -> bool:
    """Return whether something may read or write every field of a class at once.

    This may be code in the file of the class, of a base or of a use of either; code that gets the class
    itself as a value (only with `by_class`, for others make objects and do not inspect them); a base
    outside the tree; and reflective access to an object with such objects in its fields (`within` are
    those that were checked already). Tests do not count.
    """
    index = tree.index
    hierarchy = index.resolver.hierarchy
    if has_inspecting_base(tree, owner):
        return True
    if any(map(tree.subclass_collectors.is_collecting, hierarchy.order(owner.key))):
        return True
    family = [owner, *map(index.of_key, hierarchy.subclasses(owner.key))]
    uses = [use for member in family for use in _uses(tree, member)]
    if by_class and any(use.use in (Use.READ, Use.STRING, Use.EXPORT) for use in uses):
        return True
    holders = {holder for use in uses if (holder := _holder(tree, use)) is not None}
    checked = within | {owner.key}
    if any(
        has_reflective_access(tree, holder, by_class=by_class, within=checked)
        for holder in holders
        if holder.key not in checked
    ):
        return True
    above = [index.of_key(base) for base in hierarchy.order(owner.key)[1:]]
    paths = {member.path for member in (*family, *above)} | {use.place.path for use in uses}
    paths |= {use.place.path for base in above for use in _uses(tree, base)}
    return any(contains(tree, path, REFLECTION) for path in paths)


def _uses(tree: Tree, symbol: Symbol) -> list[Reference]:
    """Return the uses of a symbol outside of tests."""
    items = tree.index.references(symbol).items
    return [use for use in items if use.place.role is not Role.TEST]


def _holder(tree: Tree, use: Reference) -> Symbol | None:
    """Return the class of which a field is annotated so."""
    if use.use is not Use.ANNOTATION:
        return None
    around = tree.index.symbol(use.place.path, use.place.symbol)
    is_class = around is not None and around.kind is DefinitionKind.CLASS
    return around if is_class else None


def has_inspecting_base(tree: Tree, owner: Symbol) -> bool:
    """Return whether a class has a base outside the tree that may use its attributes."""
    foreign = tree.index.resolver.hierarchy.foreign_bases(owner.key)
    return any(base.partition("[")[0] not in HARMLESS_BASES for base in foreign)


def contains(tree: Tree, path: str, words: re.Pattern[str]) -> bool:
    """Return whether a file contains one of some words, as an unreadable one may."""
    source = tree.source(path)
    return source is None or words.search(source.text) is not None


def data_fields(tree: Tree, kinds: frozenset[ClassKind]) -> list[tuple[Symbol, Symbol]]:
    """Return the fields of the production classes of some kinds, with their class."""
    found: list[tuple[Symbol, Symbol]] = []
    for member in tree.in_scope(tree.index.all_symbols({DefinitionKind.FIELD})):
        owner = owner_class(tree, member)
        if owner is None or owner.class_kind not in kinds or member.short.startswith("__"):
            continue
        annotation = tree.index.definition(member).annotation
        if "ClassVar" in annotation or "InitVar" in annotation:
            continue
        found.append((member, owner))
    return found
