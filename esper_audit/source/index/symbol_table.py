"""The symbol table: symbols by dotted name, by the end of one, and by key."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import Definition, DefinitionKind
from esper_audit.source.facts.store import FactStore
from esper_audit.source.index.records import Symbol
from esper_audit.source.index.resolver import Resolver
from esper_audit.source.index.values.value import parts


class SymbolTable:
    """The symbols of the tree."""

    def __init__(self, resolver: Resolver, store: FactStore) -> None:
        self._resolver = resolver
        self._store = store

    def named(self, name: str) -> list[Symbol]:
        """Return the symbols that a name may mean, sorted."""
        path, colon, symbol = name.rpartition(":")
        if colon:
            found = self.at(path, symbol)
            return [found] if found is not None else []
        last = name.rpartition(".")[2]
        symbols = [
            symbol
            for module in self._store.modules_with(last)
            for symbol in self.of_unit(module)
            if symbol.short == last
        ]
        ends = [s for s in symbols if s.name == name or s.name.endswith(f".{name}")]
        ends += self._modules(name)
        exact = [symbol for symbol in ends if symbol.name == name]
        others = () if ends else (s for s in symbols if self._has_other_name(s, name))
        return sorted({*(exact or ends), *others})

    def at(self, path: str, symbol: str) -> Symbol | None:
        """Return the symbol with a dotted name in a file."""
        module = self._store.module(path)
        if module is None:
            return None
        definition = _definition(module, symbol)
        return self._symbol(module, definition) if definition is not None else None

    def of_key(self, key: str) -> Symbol:
        """Return the symbol of a key."""
        found = self.at(*parts(key))
        assert found is not None, key
        return found

    def of_unit(self, module: ModuleFacts) -> Iterator[Symbol]:
        """Yield the symbols of a file: definitions, and attributes that only `self.x = ...` defines."""
        for definition in module.definitions.values():
            yield self._symbol(module, definition)
            for name in definition.attributes:
                if f"{definition.name}.{name}" not in module.definitions:
                    yield self._symbol(module, _attribute(definition, name))

    def definition(self, symbol: Symbol) -> Definition:
        """Return the definition of a symbol."""
        module = self._store.module(symbol.path)
        found = _definition(module, symbol.symbol) if module is not None else None
        assert found is not None, symbol
        return found

    def _has_other_name(self, symbol: Symbol, name: str) -> bool:
        """Return whether a symbol has a dotted name other than its usual one."""
        modules = self._store.module_names.names(symbol.path)
        return any(f"{module}.{symbol.symbol}" == name for module in modules)

    def _modules(self, name: str) -> list[Symbol]:
        paths = [path for path in self._store.paths if self._store.module_names.name(path) == name]
        paths = paths or [path for path in (self._store.module_names.find(name, ""),) if path]
        return [module for path in paths if (module := self.at(path, "")) is not None]

    def _symbol(self, module: ModuleFacts, definition: Definition) -> Symbol:
        is_class = definition.kind is DefinitionKind.CLASS
        return Symbol(
            path=module.path,
            symbol=definition.name,
            name=f"{module.name}.{definition.name}" if definition.name else module.name,
            kind=definition.kind,
            line=definition.line,
            column=definition.column,
            end_line=definition.end_line,
            role=module.role,
            class_kind=self._resolver.hierarchy.kind(f"{module.path}:{definition.name}")
            if is_class
            else None,
        )


def _definition(module: ModuleFacts, name: str) -> Definition | None:
    if not name:
        scope = module.facts.scopes[0]
        return Definition("", DefinitionKind.MODULE, -1, 1, 1, scope.end_line, scope=0)
    known = module.definitions.get(name)
    if known is not None:
        return known
    owner, _, last = name.rpartition(".")
    around = module.definitions.get(owner)
    if around is not None and last in around.attributes:
        return _attribute(around, last)
    return None


def _attribute(owner: Definition, name: str) -> Definition:
    first = owner.attributes[name][0]
    return Definition(
        f"{owner.name}.{name}",
        DefinitionKind.ATTRIBUTE,
        owner.scope,
        first.line,
        first.column,
        first.line,
        returned=tuple(bound.path for bound in owner.attributes[name]),
        has_default=True,
    )
