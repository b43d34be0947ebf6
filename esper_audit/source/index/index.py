"""The index of a tree: queries for definitions, references, callers and tests, which read only the files they need."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.config import Project
from esper_audit.project.discovery import Discovery
from esper_audit.project.file_roles import Roles
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import (
    CallArguments,
    Definition,
    DefinitionKind,
    Mention,
    Parameter,
    Use,
)
from esper_audit.source.facts.store import FactStore
from esper_audit.source.index.find_references import ReferenceSearch
from esper_audit.source.index.records import (
    Caller,
    QueryResult,
    ReachingTest,
    Reference,
    Symbol,
    passing,
)
from esper_audit.source.index.resolver import Resolver
from esper_audit.source.index.symbol_table import SymbolTable
from esper_audit.source.index.targets import TargetResolver
from esper_audit.source.index.test_reachability import TestReach

READS = frozenset({Use.READ, Use.CALL, Use.BASE, Use.DECORATOR, Use.STRING})
AS_DECORATOR = CallArguments(positional=1)


class Index:
    """Queries about a tree. Every list is sorted, and every result names the files that could not be read.

    `files_read` and `directories` (absolute) are what was read on disk to build the index;
    `output_directories` are those that an audit writes itself. `libraries` are the packages that have
    users outside the tree, None if every public name may have some.
    """

    def __init__(self, store: FactStore) -> None:
        self.store = store
        self.resolver = Resolver(store, store.module_names)
        self.target_resolver = TargetResolver(self.resolver)
        self._symbols = SymbolTable(self.resolver, store)
        self._search = ReferenceSearch(self.resolver, self.target_resolver, store)
        self._reach = TestReach(self._search, self._symbols, store)
        self.files_read: list[str] = []
        self.directories: list[str] = []
        self.output_directories: list[str] = []
        self.libraries: frozenset[str] | None = None

    def prepare(self) -> None:
        """Extract the facts of every file in several processes, and write the cache."""
        self.store.modules()
        self.store.save()

    def modules(self) -> list[ModuleFacts]:
        """Return every file that could be read."""
        return self.store.modules()

    @property
    def problems(self) -> list[NotAnalysed]:
        """The files that were needed so far and could not be read."""
        return sorted(self.store.problems.values())

    def symbols(self, name: str) -> list[Symbol]:
        """Return what a name may mean: `pkg.module.Class.method`, any end of that, or `path.py:Class.method`.

        An exact dotted name wins over ends of longer ones; several symbols mean that it is ambiguous.
        """
        return self._symbols.named(name)

    def symbol(self, path: str, symbol: str) -> Symbol | None:
        """Return the symbol with a dotted name in a file, the module itself for an empty one."""
        return self._symbols.at(path, symbol)

    def of_key(self, key: str) -> Symbol:
        """Return the symbol of a key."""
        return self._symbols.of_key(key)

    def all_symbols(self, kinds: Collection[DefinitionKind] = ()) -> Iterator[Symbol]:
        """Yield every symbol of the tree, or those of some kinds, file by file in order."""
        for module in self.modules():
            for symbol in self._symbols.of_unit(module):
                if not kinds or symbol.kind in kinds:
                    yield symbol

    def definition(self, symbol: Symbol) -> Definition:
        """Return the definition of a symbol: parameters, decorators, bases, annotation."""
        return self._symbols.definition(symbol)

    def references(self, symbol: Symbol, uses: Collection[Use] = ()) -> QueryResult[Reference]:
        """Return every mention of a symbol, or those with some uses, with those in its own body."""
        found = [reference for reference, _ in self._search.hits(symbol)]
        wanted = [r for r in found if not uses or r.use in uses]
        return QueryResult(wanted, self._search.unread_files(symbol))

    def callers(self, symbol: Symbol, argument: str = "") -> QueryResult[Caller]:
        """Return the calls of a function, method or class. `argument` also determines whether each passes it."""
        callers = []
        for reference, mention in self._search.hits(symbol):
            if reference.use is Use.CALL or _decorates(reference, symbol):
                callers.append(self._caller(symbol, reference, mention, argument))
        return QueryResult(callers, self._search.unread_files(symbol))

    def parameters(self, symbol: Symbol, *, bound: bool = True) -> Sequence[Parameter] | None:
        """Return the parameters that a call fills, without `self` if it is bound, or None if they are not known."""
        definition = self.definition(symbol)
        if definition.kind is DefinitionKind.CLASS:
            return self.resolver.hierarchy.parameters(symbol.key)
        if definition.kind not in (DefinitionKind.FUNCTION, DefinitionKind.METHOD):
            return None
        is_static = definition.has_decorator("staticmethod")
        takes_self = definition.kind is DefinitionKind.METHOD and not is_static
        return definition.parameters[1:] if takes_self and bound else definition.parameters

    def readers(self, name: str, *, under: str = "", outside: str = "") -> QueryResult[Reference]:
        """Return where a name or attribute is read, whatever it belongs to, with the strings that spell it."""
        return self.mentions(name, READS, under=under, outside=outside)

    def mentions(
        self, name: str, uses: Collection[Use] = (), *, under: str = "", outside: str = ""
    ) -> QueryResult[Reference]:
        """Return the mentions of a bare name, below a path or package, or not below one."""
        found = [
            reference
            for reference in self._search.by_name(name)
            if (not uses or reference.use in uses)
            and (not under or self._is_below(reference.place.path, under))
            and not (outside and self._is_below(reference.place.path, outside))
        ]
        problems = [
            problem
            for problem in self.store.unread_files([name])
            if (not under or self._is_below(problem.path, under))
            and not (outside and self._is_below(problem.path, outside))
        ]
        return QueryResult(found, problems)

    def tests(self, symbol: Symbol, *, by_name: bool = False) -> QueryResult[ReachingTest]:
        """Return the tests that reach a symbol, directly or through other code.

        `by_name` adds those that only use its name, on an object of unknown class.
        """
        return self._reach.tests(symbol, by_name=by_name)

    def exported(self, symbol: Symbol) -> list[str]:
        """Return the modules that export a symbol: in their `__all__`, or as an `__init__` that imports it."""
        return self._search.exporters(symbol)

    def _caller(
        self, symbol: Symbol, reference: Reference, mention: Mention | None, argument: str
    ) -> Caller:
        arguments = (mention.arguments if mention else None) or AS_DECORATOR
        if not argument:
            return Caller(reference, arguments)
        parameters = self.parameters(
            symbol, bound=self._search.is_bound(symbol, reference, mention)
        )
        passes, value = passing(parameters, arguments, argument)
        return Caller(reference, arguments, passes, value)

    def _is_below(self, path: str, where: str) -> bool:
        """Return whether a file lies below a directory (`src/a`) or package (`a.b`), or is one itself."""
        directory = where.rstrip("/")
        if path == directory or path.startswith(f"{directory}/"):
            return True
        module = self.store.module_names.name(path)
        return module == where or module.startswith(f"{where}.")


def open_index(
    project: Project,
    *,
    paths: Iterable[str] = (),
    texts: Mapping[str, bytes] | None = None,
    without: Collection[str] = (),
    cache: bool = True,
) -> Index:
    """Return the index of a project's files and of further `paths` (absolute).

    `texts` (paths relative to the root) replace what is on disk; `without` names files to leave out.
    """
    own = (project.resolve(path) for path in project.config.paths)
    wanted = [path for path in (*own, *paths) if os.path.exists(path)]
    found = Discovery(project.root, project.config.exclude).run(wanted)
    roles = Roles(msgspec.structs.asdict(project.config.roles))
    files = sorted(set(found.files) - set(without))
    store = FactStore(project.root, files, roles=roles, texts=texts, cache=cache)
    store.problems |= {problem.path: problem for problem in found.problems}
    index = Index(store)
    index.files_read = [*found.ignore_files, *(project.resolve(path) for path in files)]
    index.directories = found.directories
    index.libraries = project.config.libraries
    index.output_directories = [
        project.resolve(project.config.tickets),
        project.resolve(project.config.reports),
    ]
    return index


def _decorates(reference: Reference, symbol: Symbol) -> bool:
    is_callable = symbol.kind in (DefinitionKind.FUNCTION, DefinitionKind.CLASS)
    return reference.use is Use.DECORATOR and is_callable
