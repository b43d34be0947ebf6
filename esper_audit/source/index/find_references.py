"""The search for references: the files with a symbol's name or an alias of it, and each mention in them resolved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import NotAnalysed
from esper_audit.source.facts.access_path import named
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import DefinitionKind, Mention, Use
from esper_audit.source.facts.store import FactStore
from esper_audit.source.index.access_steps import CALL_METHODS
from esper_audit.source.index.records import Place, Reference, Symbol
from esper_audit.source.index.resolver import Resolver
from esper_audit.source.index.targets import ResolvedBy, TargetResolver
from esper_audit.source.index.values.value import parts

ReferenceWithMention = tuple[Reference, Mention | None]
CONSTRUCTORS = frozenset({"__init__", "__new__", "__post_init__"})


class ReferenceSearch:
    """Finds the references to symbols and caches what it found."""

    def __init__(
        self, resolver: Resolver, target_resolver: TargetResolver, store: FactStore
    ) -> None:
        self._resolver = resolver
        self._target_resolver = target_resolver
        self._store = store
        self._hits: dict[str, list[ReferenceWithMention]] = {}
        self._by_name: dict[str, list[Reference]] = {}
        self._exporters: dict[str, list[str]] = {}
        self._star_packages: dict[str, list[str]] = {}
        self._words: dict[str, frozenset[str]] = {}

    def hits(self, symbol: Symbol) -> list[ReferenceWithMention]:
        """Return every reference to a symbol, with its mention."""
        if symbol.key not in self._hits:
            found = [
                hit
                for module in self._modules(symbol)
                for hit in self._references_in(module, symbol)
            ]
            self._hits[symbol.key] = sorted(found, key=lambda hit: hit[0])
        return self._hits[symbol.key]

    def unread_files(self, symbol: Symbol) -> list[NotAnalysed]:
        """Return the files that may mention a symbol and could not be read."""
        return self._store.unread_files(self._names(symbol))

    def heirs(self, symbol: Symbol) -> dict[str, str]:
        """Return the subclasses whose calls reach an inherited constructor, by last name, with their dotted name."""
        if symbol.symbol.rpartition(".")[2] not in CONSTRUCTORS:
            return {}
        owner = symbol.key.rpartition(".")[0]
        below = map(parts, self._resolver.hierarchy.subclasses(owner))
        named = {
            name.rpartition(".")[2]: f"{self._module_name(path)}.{name}" for path, name in below
        }
        named.pop(owner.rpartition(":")[2].rpartition(".")[2], None)
        return named

    def _module_name(self, path: str) -> str:
        return self._resolver.module_names.name(path)

    def by_name(self, name: str) -> list[Reference]:
        """Return every mention of a bare name, whatever it refers to."""
        if name not in self._by_name:
            self._by_name[name] = self._named(name)
        return self._by_name[name]

    def _named(self, name: str) -> list[Reference]:
        found = []
        for module in self._store.modules_with(name):
            for mention in module.mentions.get(name, ()):
                targets = self._target_resolver.targets(module, mention)
                resolved_by = targets.resolved_by if targets.keys else ResolvedBy.NAME
                found.append(_reference(module, mention, resolved_by))
            found += [reference for reference, _ in _strings(module, name)]
        return sorted(set(found))

    def exporters(self, symbol: Symbol) -> list[str]:
        """Return the modules that export a symbol."""
        if symbol.key not in self._exporters:
            self._exporters[symbol.key] = self._find_exporters(symbol)
        return self._exporters[symbol.key]

    def _find_exporters(self, symbol: Symbol) -> list[str]:
        modules = self._modules(symbol)
        exporters = {u.name for u in modules if u.role == symbol.role and self._exports(u, symbol)}
        exporters.update(self._star_exporters(symbol))
        return sorted(exporters)

    def _exports(self, module: ModuleFacts, symbol: Symbol) -> bool:
        """Return whether a file lists a symbol in `__all__`, or is a package whose top imports it."""
        is_package = self._resolver.module_names.is_package(module.path)
        if not is_package and not module.facts.exports:
            return False
        names = self._names_in(module, symbol)
        if any(True for _ in self._export_references(module, symbol, names)):
            return True
        return is_package and any(
            symbol.key in self._target_resolver.targets(module, mention).keys
            for name in names & module.mentions.keys()
            for mention in module.mentions[name]
            if mention.use is Use.IMPORT and not module.symbol(mention.scope)
        )

    def _star_exporters(self, symbol: Symbol) -> Sequence[str]:
        """Return the packages whose `__init__` imports everything public of the symbol's module."""
        own = self._store.module(symbol.path)
        assert own is not None
        listed = own.facts.exports
        is_exported = symbol.symbol in listed if listed is not None else not symbol.is_private
        if "." in symbol.symbol or not is_exported:
            return ()
        if own.path not in self._star_packages:
            self._star_packages[own.path] = list(self._find_star_packages(own))
        return self._star_packages[own.path]

    def _find_star_packages(self, own: ModuleFacts) -> Iterator[str]:
        """Yield the packages whose `__init__` has a star import of a module."""
        modules = self._resolver.module_names
        for module in self._store.modules_with(own.name.rpartition(".")[2]):
            stars = module.facts.scopes[0].bindings.get("*", ())
            targets = (modules.resolve(star.name, module.path) for star in stars)
            if modules.is_package(module.path) and (own.path, []) in targets:
                yield module.name

    def is_bound(self, symbol: Symbol, reference: Reference, mention: Mention | None) -> bool:
        """Return whether a call fills `self` implicitly, which `Class.method(obj)` does not."""
        is_method = symbol.kind is DefinitionKind.METHOD
        if not is_method or reference.resolved_by is ResolvedBy.NAME or mention is None:
            return True
        _, definition = self._resolver.defined(symbol.key)
        if definition.short in CONSTRUCTORS or definition.has_decorator("classmethod"):
            return True
        caller = self._store.module(reference.place.path)
        assert caller is not None
        values = self._resolver.values(caller, mention.scope, mention.path.receiver)
        return not any(value.kind == "class" for value in values)

    def _modules(self, symbol: Symbol) -> Iterator[ModuleFacts]:
        words = self._names(symbol)
        for path in sorted({path for word in words for path in self._store.paths_with(word)}):
            module = self._store.module(path)
            if module is not None:
                yield module

    def _names(self, symbol: Symbol) -> frozenset[str]:
        """Return the names under which a symbol is mentioned anywhere: its own and its aliases."""
        if symbol.key not in self._words:
            names = self._own_names(symbol)
            by_result = symbol.symbol.rpartition(".")[2] in CALL_METHODS
            fresh = names
            while fresh:
                fresh = self._other_names(fresh, names, by_result=by_result)
                names |= fresh
            self._words[symbol.key] = names
        return self._words[symbol.key]

    def _other_names(
        self, fresh: frozenset[str], names: frozenset[str], *, by_result: bool
    ) -> frozenset[str]:
        """Return further aliases, from the files that contain one of the fresh ones."""
        paths = {path for word in fresh for path in self._store.paths_with(word)}
        modules = (self._store.module(path) for path in sorted(paths))
        aliases = (
            module.aliases(names, results=by_result)[1] for module in modules if module is not None
        )
        return frozenset().union(*aliases) - names

    def _own_names(self, symbol: Symbol) -> frozenset[str]:
        short = symbol.symbol.rpartition(".")[2] or symbol.short
        if short not in CONSTRUCTORS and short not in CALL_METHODS:
            return frozenset({short})
        owner = symbol.key.rpartition(".")[0]
        classes = [owner, *self._resolver.hierarchy.subclasses(owner)]
        return frozenset({short, *(parts(of)[1].rpartition(".")[2] for of in classes)})

    def _references_in(self, module: ModuleFacts, symbol: Symbol) -> Iterator[ReferenceWithMention]:
        """Yield the references to a symbol in one file."""
        short = symbol.symbol.rpartition(".")[2] or symbol.short
        here = self._names_in(module, symbol)
        for word in sorted(here & module.mentions.keys()):
            for mention in module.mentions[word]:
                resolved_by = self._resolution(module, mention, symbol, short)
                if resolved_by is not None:
                    yield _reference(module, mention, resolved_by), mention
        yield from _strings(module, short)
        yield from self._export_references(module, symbol, here)

    def _names_in(self, module: ModuleFacts, symbol: Symbol) -> frozenset[str]:
        """Return the names under which one file may mention a symbol."""
        words = self._names(symbol)
        by_result = symbol.symbol.rpartition(".")[2] in CALL_METHODS
        return words | module.aliases(words, results=by_result)[0]

    def _resolution(
        self, module: ModuleFacts, mention: Mention, symbol: Symbol, short: str
    ) -> ResolvedBy | None:
        targets = self._target_resolver.targets(module, mention)
        if symbol.key in targets.keys:
            return targets.resolved_by
        if targets.open and mention.path.terminal == short:
            return ResolvedBy.NAME
        return None

    def _export_references(
        self, module: ModuleFacts, symbol: Symbol, names: frozenset[str]
    ) -> Iterator[ReferenceWithMention]:
        exports = module.facts.exports or {}
        for name, line in ((name, exports[name]) for name in sorted(names & exports.keys())):
            mention = Mention(named(name), Use.EXPORT, 0, line, 1)
            if name in module.facts.scopes[0].bindings:
                targets = self._target_resolver.targets(module, mention)
                if symbol.key in targets.keys:
                    yield _reference(module, mention, ResolvedBy.IMPORT), mention


def _reference(module: ModuleFacts, mention: Mention, resolved_by: ResolvedBy) -> Reference:
    place = Place(
        module.path, mention.line, mention.column, module.symbol(mention.scope), module.role
    )
    return Reference(place, mention.use, resolved_by, str(mention.path), mention.by_string)


def _strings(module: ModuleFacts, name: str) -> Iterator[ReferenceWithMention]:
    """Yield the strings that spell a name, without those that `getattr` makes a reference."""
    resolved = {(m.line, m.column) for m in module.mentions.get(name, ()) if m.by_string}
    for line, column in module.facts.strings.get(name, ()):
        if (line, column) not in resolved:
            symbol = module.symbol(module.innermost(line))
            place = Place(module.path, line, column, symbol, module.role)
            yield Reference(place, Use.STRING, ResolvedBy.NAME, name, by_string=True), None
