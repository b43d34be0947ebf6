"""Objects that are looked at as a whole: serialised, copied or compared field by field without naming one."""

from __future__ import annotations

import re

from esper_audit.class_family import ClassKind
from esper_audit.facts import DefinitionKind, Use
from esper_audit.reference import Symbol
from esper_audit.tree import Tree

# What takes an object apart without naming its fields: beside a class, it may do so with that class.
TAKES_APART = re.compile(
    r"\b(asdict|astuple|_asdict|fields|vars|locals|__dict__|__getstate__|__reduce__|__reduce_ex__|__slots__"
    r"|__match_args__|__getattr__|__getattribute__|__annotations__|getattr|attrgetter|get_type_hints"
    r"|to_builtins|encode|model_dump|dumps?|deepcopy|pickle|state_dict)\b"
)
HARMLESS_BASES = frozenset(
    {"object", "abc.ABC", "ABC", "typing.Generic", "Generic", "typing.Protocol", "Protocol"}
    | {
        "msgspec.Struct",
        "Struct",
        "pydantic.BaseModel",
        "BaseModel",
        "torch.nn.Module",
        "nn.Module",
    }
    | {"torch.nn.modules.module.Module", "Exception", "ValueError", "RuntimeError"}
)


def class_of(tree: Tree, member: Symbol) -> Symbol | None:
    """Return the class that a field, method or attribute stands in."""
    owner = member.symbol.rpartition(".")[0]
    return tree.index.symbol(member.path, owner) if owner else None


def is_taken_apart(tree: Tree, owner: Symbol) -> bool:
    """Say whether something may read or write every field of a class at once.

    So may code beside the class, or beside a use of it, that has a word for it; whatever gets the
    class itself as a value; and a base that the tree does not hold.
    """
    index = tree.index
    kin = index.resolver.kin
    if kin.foreign_bases(owner.key) - HARMLESS_BASES:
        return True
    if any(collects_subclasses(tree, base) for base in kin.order(owner.key)):
        return True
    family = [owner, *(index.of_key(key) for key in kin.subclasses(owner.key))]
    uses = [use for member in family for use in index.references(member).items]
    if any(use.use in (Use.READ, Use.STRING, Use.EXPORT) for use in uses):
        return True
    paths = {member.path for member in family} | {use.place.path for use in uses}
    return any(says(tree, path, TAKES_APART) for path in paths)


def says(tree: Tree, path: str, words: re.Pattern[str]) -> bool:
    """Say whether a file holds a word; one that could not be read may."""
    source = tree.source(path)
    return source is None or words.search(source.text) is not None


def data_fields(tree: Tree, kinds: frozenset[ClassKind]) -> list[tuple[Symbol, Symbol]]:
    """Return the fields of the production classes of some kinds that only the tree uses, with their class."""
    found: list[tuple[Symbol, Symbol]] = []
    for member in tree.in_scope(tree.index.all_symbols({DefinitionKind.FIELD})):
        owner = class_of(tree, member)
        if owner is None or owner.class_kind not in kinds or member.short.startswith("__"):
            continue
        annotation = tree.index.definition(member).annotation
        if "ClassVar" in annotation or "InitVar" in annotation:
            continue
        if not tree.index.exported(owner):
            found.append((member, owner))
    return found


def collects_subclasses(tree: Tree, base: str) -> bool:
    """Say whether a class of the tree learns of its subclasses by itself."""
    kin = tree.index.resolver.kin
    if kin.has(base, "__init_subclass__"):
        return True
    symbol = tree.index.of_key(base)
    asked = tree.index.mentions("__subclasses__").items
    if any(symbol.short in reference.written for reference in asked):
        return True
    uses = tree.index.references(symbol, {Use.READ}).items
    return any("issubclass(" in tree.line(reference.place) for reference in uses)
