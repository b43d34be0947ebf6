"""Walking through a function with what is known of its local names: conditions that can only go one way."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.idioms.branches.conditions import (
    Atom,
    ConditionFacts,
    KnownValue,
    assumed,
    told,
)
from esper_audit.source.syntax.ast_walk import children, walk
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.names import Function, defaults, parameters

OWN_NAMES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
NAMED = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.MatchAs, ast.MatchStar, ast.ExceptHandler,
)  # fmt: skip
ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
NEVER_NONE = {ast.List: "list", ast.Dict: "dict", ast.Tuple: "tuple", ast.Set: "set"}
TypeOf = Callable[[ast.Call], str]


class Constant(NamedTuple):
    """A condition that can only go one way."""

    test: ast.expr
    known: KnownValue


class BranchWalk:
    """One function; `type_of` tells of a call what it is annotated to return, `start` what is known first."""

    def __init__(self, function: Function, type_of: TypeOf, start: ConditionFacts) -> None:
        self.found: list[Constant] = []
        self._type_of = type_of
        self._shared = frozenset(_shared(function))
        self._switches = frozenset(_bound_once(function))
        own = {parameter.arg for parameter in parameters(function.args)}
        self._own = (own | _stored(*function.body)) - self._shared
        self._flags = frozenset(_flags(function)) - self._shared
        facts = start.without(self._shared)
        self._block(function.body, facts)

    def _block(self, body: Sequence[ast.stmt], facts: ConditionFacts) -> ConditionFacts | None:
        """Return what is known behind a block; None if nothing gets there."""
        known: ConditionFacts | None = facts
        for statement in body:
            if known is None:
                return None
            known = self._statement(statement, known)
        return known

    def _statement(self, statement: ast.stmt, facts: ConditionFacts) -> ConditionFacts | None:
        if isinstance(statement, ast.If):
            return self._if(statement, facts)
        if isinstance(statement, (ast.For, ast.AsyncFor, ast.While)):
            return self._loop(statement, facts)
        if isinstance(statement, (ast.Try, ast.TryStar)):
            return self._try(statement, facts)
        if isinstance(statement, (ast.With, ast.AsyncWith, ast.Match)):
            return self._blocks(statement, facts)
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return facts.without(frozenset({statement.name}))
        self._expressions(statement, facts)
        if isinstance(statement, ENDS):
            return None
        if isinstance(statement, ast.Assert):
            return self._assumed(statement.test, facts, truth=True)
        return self._bound(statement, facts.without(_stored(statement)))

    def _if(
        self, statement: ast.If, facts: ConditionFacts, *, is_elif: bool = False
    ) -> ConditionFacts | None:
        self._expressions(statement.test, facts)
        known = told(statement.test, facts, self._flags)
        facts = facts.without(_stored(statement.test))
        if known is not None:
            spells_out_the_rest = is_elif and known.truth and not statement.orelse
            if not spells_out_the_rest:
                self.found.append(Constant(statement.test, known))
            return self._block(statement.body if known.truth else statement.orelse, facts)
        then = self._block(statement.body, self._assumed(statement.test, facts, truth=True))
        otherwise: ConditionFacts | None = self._assumed(statement.test, facts, truth=False)
        assert otherwise is not None
        if len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
            otherwise = self._if(statement.orelse[0], otherwise, is_elif=True)
        else:
            otherwise = self._block(statement.orelse, otherwise)
        if then is None or otherwise is None:
            return otherwise if then is None else then
        return then.both(otherwise)

    def _loop(
        self, statement: ast.For | ast.AsyncFor | ast.While, facts: ConditionFacts
    ) -> ConditionFacts:
        inside = facts.without(_stored(statement))
        if isinstance(statement, ast.While):
            self._block(statement.body, self._assumed(statement.test, inside, truth=True))
        else:
            self._expressions(statement.iter, facts)
            self._block(statement.body, inside)
        self._block(statement.orelse, inside)
        return inside

    def _try(
        self, statement: ast.Try | ast.TryStar, facts: ConditionFacts
    ) -> ConditionFacts | None:
        """Any statement of the body may have been the last before a handler runs."""
        caught = facts.without(_stored(*statement.body))
        through = self._block(statement.body, facts)
        if through is not None:
            through = self._block(statement.orelse, through)
        ways = [through]
        for handler in statement.handlers:
            name = frozenset({handler.name} if handler.name else ())
            ways.append(self._block(handler.body, caught.without(name)))
        left = [way for way in ways if way is not None]
        if statement.finalbody:
            after = facts.without(_stored(statement))
            return self._block(statement.finalbody, after) if left else None
        return _merged(left)

    def _blocks(
        self, statement: ast.With | ast.AsyncWith | ast.Match, facts: ConditionFacts
    ) -> ConditionFacts:
        """Blocks that may be left early, or not entered: only what they cannot change stays known."""
        stored = _stored(statement)
        for block in blocks(statement):
            heads = frozenset(_heads(statement))
            self._block(block, facts.without(heads))
        return facts.without(stored)

    def _bound(self, statement: ast.stmt, facts: ConditionFacts) -> ConditionFacts:
        """Return the facts with what an assignment of a constant, a display or a typed call tells."""
        target, value = _assigned(statement)
        if target is None or value is None or target in self._shared:
            return facts
        reason = f"line {statement.lineno} sets it"
        is_bool = isinstance(value, ast.Constant) and isinstance(value.value, bool)
        if is_bool and target in self._switches:
            return facts
        if isinstance(value, ast.Constant) and isinstance(value.value, (str, int, type(None))):
            return ConditionFacts(
                facts.known,
                {**facts.values, target: (frozenset({repr(value.value)}), reason)},
            )
        kind, how = NEVER_NONE.get(type(value), ""), "isinstance"
        if isinstance(value, ast.Call):
            kind, how = self._type_of(value), "returned"
            reason = f"`{ast.unparse(value.func)}` returns a {kind}"
        if not kind:
            return facts
        return facts.having(Atom(target, how, kind), truth=True, reason=reason)

    def _assumed(self, test: ast.expr, facts: ConditionFacts, *, truth: bool) -> ConditionFacts:
        reason = f"line {test.lineno} has tested it"
        facts = assumed(test, facts, self._flags, truth=truth, reason=reason)
        others = frozenset(atom.name for atom in facts.known if atom.name not in self._own)
        return facts.without(others | _stored(test))

    def _expressions(self, node: ast.AST, facts: ConditionFacts) -> None:
        """Look at the conditional expressions of a statement; what has names of its own is left out."""
        pending = [node]
        while pending:
            part = pending.pop()
            if isinstance(part, ast.IfExp):
                known = told(part.test, facts, self._flags)
                if known is not None:
                    self.found.append(Constant(part.test, known))
                continue
            if isinstance(part, OWN_NAMES) or (isinstance(part, ast.stmt) and part is not node):
                continue
            pending += children(part)


def _merged(ways: list[ConditionFacts]) -> ConditionFacts | None:
    if not ways:
        return None
    merged = ways[0]
    for way in ways[1:]:
        merged = merged.both(way)
    return merged


def _stored(*nodes: ast.AST) -> frozenset[str]:
    """Return the names that a node binds or deletes, wherever in it."""
    return frozenset(name for node in nodes for part in walk(node) for name in _binds(part))


def _binds(part: ast.AST) -> Iterator[str]:
    if isinstance(part, ast.Name):
        if not isinstance(part.ctx, ast.Load):
            yield part.id
    elif isinstance(part, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in part.names)
    elif isinstance(part, ast.MatchMapping):
        yield part.rest or ""
    elif isinstance(part, NAMED):
        yield part.name or ""


def _bound_once(function: Function) -> Iterator[str]:
    """Yield the names that a function binds in one place alone."""
    bound = Counter(name for part in walk(function) for name in _binds(part))
    bound.update(parameter.arg for parameter in parameters(function.args))
    return (name for name, count in bound.items() if count == 1)


def _heads(statement: ast.With | ast.AsyncWith | ast.Match) -> Iterator[str]:
    """Yield the names that a `with` or the patterns of a `match` bind."""
    if isinstance(statement, ast.Match):
        for case in statement.cases:
            yield from _stored(case.pattern)
    else:
        for item in statement.items:
            yield from _stored(item)


def _assigned(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    """Return the one name that a statement sets, and to what."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None, None
    return (target.id, statement.value) if isinstance(target, ast.Name) else (None, None)


def _shared(function: Function) -> Iterator[str]:
    """Yield the names that are not the function's own, or that functions inside it bind as well."""
    for part in walk(function):
        if isinstance(part, (ast.Global, ast.Nonlocal)):
            yield from part.names


def _flags(function: Function) -> Iterator[str]:
    """Yield the parameters that are bools, by annotation or default: nothing can fill them later."""
    given = defaults(function.args)
    for parameter in parameters(function.args):
        default = given.get(parameter.arg)
        is_default = isinstance(default, ast.Constant) and isinstance(default.value, bool)
        annotation = parameter.annotation
        if is_default or (isinstance(annotation, ast.Name) and annotation.id == "bool"):
            yield parameter.arg
