"""The tests that reach a symbol, directly or through production code."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import DefinitionKind, ScopeKind, Use
from esper_audit.source.facts.store import FactStore
from esper_audit.source.index.find_references import ReferenceSearch
from esper_audit.source.index.records import Place, QueryResult, ReachingTest, Reference, Symbol
from esper_audit.source.index.symbol_table import SymbolTable
from esper_audit.source.index.targets import ResolvedBy

NOT_A_USE = frozenset({Use.IMPORT, Use.EXPORT, Use.ANNOTATION, Use.STRING})
IS_FUNCTION = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD})
TEST = "test"


class _Step(NamedTuple):
    """A symbol on the way up, the code passed so far (helpers of tests too), and the resolution of the first step."""

    symbol: Symbol
    through: list[str]
    resolved_by: ResolvedBy | None


class _UseOnWay(NamedTuple):
    """A use on the way up. `heir` is the subclass that it names where it calls what that inherits."""

    place: Place
    resolved_by: ResolvedBy
    heir: str = ""


class TestReach:
    """Walks from a symbol up to what refers to it, breadth first, until nothing new is found.

    References by name only count in a test, and only to the symbol itself. Helpers and fixtures of
    the tests are steps on the way.
    """

    __test__ = False

    def __init__(self, search: ReferenceSearch, symbols: SymbolTable, store: FactStore) -> None:
        self._search = search
        self._symbols = symbols
        self._store = store

    def tests(self, symbol: Symbol, *, by_name: bool) -> QueryResult[ReachingTest]:
        """Return the tests that reach a symbol, one entry a test function, by the shortest way.

        `by_name` adds those that only use its name, on an object of unknown class.
        """
        found: dict[tuple[str, str], ReachingTest] = {}
        pending = deque([_Step(symbol, [], None)])
        visited = {symbol.key}
        while pending:
            step = pending.popleft()
            for above, use in self._callers(step, by_name=by_name):
                line, resolved_by, through = use.place.line, use.resolved_by, step.through
                if _is_test(above):
                    through = [use.heir] if use.heir and step.symbol == symbol else through
                    test = ReachingTest(above.path, above.symbol, line, resolved_by, through)
                    found.setdefault((test.path, test.symbol), test)
                elif above.key not in visited:
                    visited.add(above.key)
                    pending.append(_next_step(step, above, resolved_by))
        return QueryResult(sorted(found.values()), self._search.unread_files(symbol))

    def _callers(self, step: _Step, *, by_name: bool) -> Iterator[tuple[Symbol, _UseOnWay]]:
        for use in self._uses(step, with_names=by_name):
            for above in self._above(use.place):
                yield above, use

    def _uses(self, step: _Step, *, with_names: bool) -> Iterator[_UseOnWay]:
        """Yield where a symbol is used, and the weakest resolution on the way to the first symbol."""
        heirs = self._search.heirs(step.symbol)
        for reference, mention in self._search.hits(step.symbol):
            by_name = reference.resolved_by is ResolvedBy.NAME
            is_first_in_test = not step.resolved_by and reference.place.role is Role.TEST
            is_counted = not by_name or (with_names and is_first_in_test)
            if reference.use in NOT_A_USE or not is_counted:
                continue
            heir = heirs.get(mention.path.terminal, "") if mention is not None else ""
            yield _UseOnWay(reference.place, self._weakest(step, reference), heir)
        if step.symbol.role is Role.TEST:
            yield from (
                _UseOnWay(place, step.resolved_by or ResolvedBy.IMPORT)
                for place in self._fixture_users(step.symbol)
            )

    def _weakest(self, step: _Step, reference: Reference) -> ResolvedBy:
        return step.resolved_by if step.resolved_by is ResolvedBy.NAME else reference.resolved_by

    def _fixture_users(self, fixture: Symbol) -> Iterator[Place]:
        """Yield the test functions that request a fixture by the name of a parameter."""
        definition = self._symbols.definition(fixture)
        if not any(decorator.terminal == "fixture" for decorator in definition.decorators):
            return
        for module in self._store.modules_with(fixture.short):
            for function in module.facts.definitions:
                names = {parameter.name for parameter in function.parameters}
                if fixture.short in names and module.role is Role.TEST:
                    yield Place(module.path, function.line, 1, function.name, module.role)

    def _above(self, place: Place) -> Iterator[Symbol]:
        """Yield what contains a place: a function, a class, a constant of the module, or a test module."""
        name = self._function(place)
        if not name:
            name = self._constant(place)
        if name or place.role is Role.TEST:
            symbol = self._symbols.at(place.path, name)
            if symbol is not None:
                yield symbol

    def _function(self, place: Place) -> str:
        """Return the outermost function around a place, a method with its class."""
        module = self._store.module(place.path)
        assert module is not None
        names = [scope.name for scope in module.facts.scopes]
        around = names.index(place.symbol) if place.symbol in names else 0
        scopes = [module.facts.scopes[scope] for scope in module.enclosing(around)]
        functions = [scope.name for scope in scopes if scope.kind is ScopeKind.FUNCTION]
        return functions[-1] if functions else place.symbol

    def _constant(self, place: Place) -> str:
        module = self._store.module(place.path)
        assert module is not None
        constants = (d for d in module.definitions.values() if d.kind is DefinitionKind.CONSTANT)
        around = (d.name for d in constants if d.line <= place.line <= d.end_line)
        return next(around, "")


def _is_test(symbol: Symbol) -> bool:
    """Return whether something is run by a test runner itself: a test function, or a module of tests."""
    if symbol.role is not Role.TEST:
        return False
    is_named = symbol.short.startswith(TEST)
    return is_named if symbol.kind in IS_FUNCTION else symbol.kind is DefinitionKind.MODULE


def _next_step(step: _Step, above: Symbol, resolved_by: ResolvedBy) -> _Step:
    return _Step(above, [above.name, *step.through], resolved_by)
