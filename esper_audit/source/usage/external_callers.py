"""Callers outside the tree: what may call a definition unseen, or determine its signature."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from functools import cached_property

from esper_audit.source.facts.access_path import PathKind
from esper_audit.source.facts.records import Definition, DefinitionKind
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.index import Index
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.framework_bases import may_call, may_prescribe

MAIN = "__main__"
# Decorators that keep the function to themselves, and call it as its callers do.
NEUTRAL = frozenset(
    {"staticmethod", "classmethod", "property", "cached_property", "cache", "lru_cache", "setter"}
    | {"getter", "deleter", "no_grad", "inference_mode", "enable_grad", "autocast", "overload"}
    | {"override", "final", "abstractmethod", "contextmanager", "asynccontextmanager", "deprecated"}
    | {"wraps", "disable", "compile", "ignore", "unused", "export", "script", "jit", "njit", "wrap"}
    | {"record_function", "typechecked", "no_type_check", "record", "script_if_tracing"}
    | {"disable_compiler", "disable_autocast"}
)
NEUTRAL_FOR_CLASSES = frozenset(
    {"dataclass", "final", "runtime_checkable", "total_ordering", "unique", "define", "frozen"}
    | {"mutable", "deprecated", "dataclass_transform", "attrs", "s"}
)
KEPT_FOR_COMPATIBILITY = re.compile(
    r"deprecat|backwards?[ -]compat|\bcompat|downstream|legacy|\bBC\b", re.IGNORECASE
)
HOOK_PREFIXES = ("pytest_", "visit_", "generic_visit", "do_", "leave_")
# Methods that IPython calls to display objects, and trainers apply to every part of a model.
HOOK = re.compile(r"_(repr|ipython)_\w+_|_init_weights")


class ExternalCallers:
    """Determines whether code outside may call a definition, in doubt, it may."""

    def __init__(self, index: Index, entries: Collection[str], scripts: Collection[str]) -> None:
        self._index = index
        self._entries = frozenset(entries)
        self._scripts = frozenset(scripts)

    def may_run(self, symbol: Symbol) -> bool:
        """Return whether something outside may call a function: packaging, a decorator, a base, a user."""
        if self.is_called_by_language(symbol) or self.is_entry(symbol):
            return True
        if self.is_registered(symbol) or self.is_prescribed(symbol):
            return True
        return self.is_public_api(symbol)

    def is_called_by_language(self, symbol: Symbol) -> bool:
        """Return whether the interpreter or a framework calls it by name: `__len__`, `pytest_configure`."""
        short = symbol.short
        is_dunder = short.startswith("__") and short.endswith("__")
        is_hook = short.startswith(HOOK_PREFIXES) or HOOK.fullmatch(short) is not None
        return is_dunder or is_hook

    def is_entry(self, symbol: Symbol) -> bool:
        """Return whether the packaging names a symbol, or its module."""
        module = symbol.name.removesuffix(f".{symbol.symbol}")
        return symbol.name in self._entries or module in self._entries

    def is_registered(self, symbol: Symbol) -> bool:
        """Return whether a decorator, of a function or of the class around it, may register it."""
        definition = self._index.definition(symbol)
        if not self._are_neutral(symbol, definition, NEUTRAL):
            return True
        owner = self.owner(symbol)
        if owner is None:
            return False
        return not self._are_neutral(owner, self._index.definition(owner), NEUTRAL_FOR_CLASSES)

    def is_prescribed(self, symbol: Symbol) -> bool:
        """Return whether a base, a protocol or an overridden method may cause calls of a method by its name."""
        return self._is_set_by_family(symbol, may_call)

    def has_prescribed_signature(self, symbol: Symbol) -> bool:
        """Return whether a base, a protocol or an overridden method determines a method's parameters."""
        return self._is_set_by_family(symbol, may_prescribe)

    def _is_set_by_family(self, symbol: Symbol, is_foreign: Callable[[str, str], bool]) -> bool:
        owner = self.owner(symbol)
        if owner is None:
            return False
        hierarchy, name = self._index.resolver.hierarchy, symbol.short
        if owner.class_kind is ClassKind.PROTOCOL or hierarchy.overrides(owner.key, name):
            return True
        if hierarchy.member(owner.key, name, after=True) is not None:
            return True
        mixed = self._mixed_in(owner.key)
        if any(hierarchy.has(other, name) for other in mixed):
            return True
        together = hierarchy.foreign_bases(owner.key).union(*map(hierarchy.foreign_bases, mixed))
        if any(is_foreign(base, name) for base in together):
            return True
        decorators = self._index.definition(symbol).decorators
        return any(decorator.terminal.startswith("abstract") for decorator in decorators)

    def _mixed_in(self, owner: str) -> set[str]:
        """Return the subclasses of a class and their other bases, whose methods a mixin may implement."""
        hierarchy = self._index.resolver.hierarchy
        below = hierarchy.subclasses(owner)
        return {*below, *(base for each in below for base in hierarchy.order(each))} - {owner}

    def is_public_api(self, symbol: Symbol) -> bool:
        """Return whether users outside the tree may reach a symbol: exported, or public in a library."""
        if self.is_closed(symbol):
            return False
        outermost = self._outermost(symbol)
        if outermost is None or (outermost != symbol and _is_private(outermost.short)):
            return False
        if any(map(_is_private, symbol.symbol.split(".")[1:])):
            return False
        if self._index.exported(outermost) or outermost.path in self._star_exported:
            return True
        # An object may reach users although the module of its class is private.
        if not self.is_of_library(symbol):
            return False
        is_public = outermost != symbol or not any(map(_is_private, symbol.name.split(".")))
        return is_public or (
            not _is_private(outermost.short) and self._is_exported_module(symbol.path)
        )

    def is_of_library(self, symbol: Symbol) -> bool:
        """Return whether the package of a symbol may have users that the tree does not hold."""
        is_open = not self.is_closed(symbol)
        return is_open and symbol.name.partition(".")[0] not in self._applications

    def is_closed(self, symbol: Symbol) -> bool:
        """Return whether the tree holds all callers of a symbol: the configuration names no library around it."""
        libraries = self._index.libraries
        if libraries is None:
            return False
        parts = symbol.name.split(".")
        return libraries.isdisjoint(".".join(parts[:end]) for end in range(1, len(parts) + 1))

    def may_be_documented(self, symbol: Symbol) -> bool:
        """Return whether a mention in documentation may be a use: a public name whose users are elsewhere."""
        return not (symbol.is_private or self.is_closed(symbol))

    def _is_exported_module(self, path: str) -> bool:
        """Return whether a package exports a module, whatever the file is called."""
        module = self._index.symbol(path, "")
        return module is not None and bool(self._index.exported(module))

    def is_kept_for_compatibility(self, text: str) -> bool:
        """Return whether the text of a definition states that it is kept for compatibility."""
        return KEPT_FOR_COMPATIBILITY.search(text) is not None

    def owner(self, symbol: Symbol) -> Symbol | None:
        """Return the class around a method."""
        if symbol.kind is not DefinitionKind.METHOD:
            return None
        return self._index.symbol(symbol.path, symbol.symbol.rpartition(".")[0])

    @cached_property
    def _star_exported(self) -> frozenset[str]:
        """The files that some public module star-imports."""
        found: set[str] = set()
        for module in self._index.modules():
            stars = module.facts.scopes[0].bindings.get("*", ())
            if stars and not any(map(_is_private, module.name.split("."))):
                targets = (
                    self._index.store.module_names.resolve(s.name, module.path) for s in stars
                )
                found.update(target[0] for target in targets if target is not None)
        return frozenset(found)

    @cached_property
    def _applications(self) -> frozenset[str]:
        """The outermost packages that are run, not imported: they have a script, and no public names at their top."""
        modules = self._index.store.module_names
        mains = (modules.name(path) for path in self._index.store.paths)
        named = [*self._scripts, *(name for name in mains if name.rpartition(".")[2] == MAIN)]
        packages = {name.partition(".")[0] for name in named}
        return frozenset(name for name in packages if not self._has_public_names(name))

    def _has_public_names(self, package: str) -> bool:
        """Return whether the `__init__` of a package lists names or imports some of its own."""
        path = self._index.store.module_names.find(package, "")
        module = self._index.store.module(path) if path is not None else None
        if module is None or module.facts.exports:
            return module is not None
        paths = (path for bound in module.facts.scopes[0].bindings.values() for path in bound)
        imports = (path.name for path in paths if path.kind is PathKind.IMPORT)
        targets = (self._index.store.module_names.resolve(name, module.path) for name in imports)
        return any(target is not None for target in targets)

    def _outermost(self, symbol: Symbol) -> Symbol | None:
        """Return the outermost class or function around a symbol, or None for a local function."""
        outer = self._index.symbol(symbol.path, symbol.symbol.partition(".")[0])
        is_local = outer is None or (
            outer.kind is DefinitionKind.FUNCTION and outer.symbol != symbol.symbol
        )
        return None if is_local else outer

    def _are_neutral(
        self, symbol: Symbol, definition: Definition, neutral: Collection[str]
    ) -> bool:
        if not definition.decorators:
            return True
        module = self._index.store.module(symbol.path)
        assert module is not None
        meant = self._index.resolver.dotted_names(module, definition.owner, definition.decorators)
        return _last(meant) <= frozenset(neutral)


def _last(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.rpartition(".")[2] for name in names)


def _is_private(part: str) -> bool:
    return part.startswith("_") and not part.endswith("__")
