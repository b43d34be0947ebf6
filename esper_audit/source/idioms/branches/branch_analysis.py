"""Branch analysis: conditions of a function that are always true or always false."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.idioms.branches.bound_names import BoundNames
from esper_audit.source.idioms.branches.conditions import (
    Atom,
    ConditionFacts,
    KnownValue,
    assume,
    known_truth,
)
from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.names import Function, defaults, parameters

OWN_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
BLOCK_EXITS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
DISPLAY_TYPES = {ast.List: "list", ast.Dict: "dict", ast.Tuple: "tuple", ast.Set: "set"}
TypeOf = Callable[[ast.Call], str]


class ConstantCondition(NamedTuple):
    """A condition that is always true or always false, and the reason."""

    test: ast.expr
    known: KnownValue


class BranchWalk:
    """The walk through one function, which collects its constant conditions.

    `type_of` returns the annotated return type of a call, `start` holds the initial facts. Operands that
    are constant and leave the condition open are `constant_operands`. `with_asserts` is whether an
    `assert` counts as a test.
    """

    def __init__(
        self,
        function: Function,
        type_of: TypeOf,
        start: ConditionFacts,
        *,
        with_asserts: bool = True,
    ) -> None:
        self.constant_conditions: list[ConstantCondition] = []
        self.constant_operands: list[ConstantCondition] = []
        self._with_asserts = with_asserts
        self._type_of = type_of
        self._bound = BoundNames(function)
        self._shared = self._bound.shared
        self._switches = self._bound.once
        own = {parameter.arg for parameter in parameters(function.args)}
        self._own = (own | self._bound.inside(*function.body)) - self._shared
        self._flags = frozenset(bool_parameters(function)) - self._shared
        facts = start.without(self._shared)
        self._block(function.body, facts)

    def _block(self, body: Sequence[ast.stmt], facts: ConditionFacts) -> ConditionFacts | None:
        """Return the facts after a block, or None if its end is unreachable."""
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
        if isinstance(statement, BLOCK_EXITS):
            return None
        if isinstance(statement, ast.Assert) and self._with_asserts:
            return self._assumed(statement.test, facts, truth=True)
        return self._assignment(statement, self._left(facts, statement))

    def _if(
        self, statement: ast.If, facts: ConditionFacts, *, is_elif: bool = False
    ) -> ConditionFacts | None:
        self._expressions(statement.test, facts)
        known = known_truth(statement.test, facts, self._flags)
        facts = self._left(facts, statement.test)
        if known is not None:
            completes_the_cases = is_elif and known.truth and not statement.orelse
            if not completes_the_cases:
                self.constant_conditions.append(ConstantCondition(statement.test, known))
            return self._block(statement.body if known.truth else statement.orelse, facts)
        if not is_elif:  # an `elif` may spell out the case that remains
            self._operands(statement.test, facts)
        then = self._block(statement.body, self._assumed(statement.test, facts, truth=True))
        otherwise: ConditionFacts | None = self._assumed(statement.test, facts, truth=False)
        assert otherwise is not None
        if len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
            otherwise = self._if(statement.orelse[0], otherwise, is_elif=True)
        else:
            otherwise = self._block(statement.orelse, otherwise)
        if then is None or otherwise is None:
            return otherwise if then is None else then
        return then.intersection(otherwise)

    def _loop(
        self, statement: ast.For | ast.AsyncFor | ast.While, facts: ConditionFacts
    ) -> ConditionFacts:
        inside = self._left(facts, statement)
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
        """Return the facts after a `try`, whose handlers may run after any statement of the body."""
        caught = self._left(facts, *statement.body)
        through = self._block(statement.body, facts)
        if through is not None:
            through = self._block(statement.orelse, through)
        ways = [through]
        for handler in statement.handlers:
            name = frozenset({handler.name} if handler.name else ())
            ways.append(self._block(handler.body, caught.without(name)))
        left = [way for way in ways if way is not None]
        if statement.finalbody:
            after = self._left(facts, statement)
            return self._block(statement.finalbody, after) if left else None
        return _merge(left)

    def _blocks(
        self, statement: ast.With | ast.AsyncWith | ast.Match, facts: ConditionFacts
    ) -> ConditionFacts:
        """Return the facts after blocks that may be skipped or left early: those they cannot change."""
        inside = self._left(facts, *_heads(statement))
        for block in blocks(statement):
            self._block(block, inside)
        return self._left(facts, statement)

    def _assignment(self, statement: ast.stmt, facts: ConditionFacts) -> ConditionFacts:
        """Return the facts after an assignment of a constant, a display or a typed call."""
        target, value = _assigned(statement)
        if target is None or value is None or target in self._shared:
            return facts
        reason = f"line {statement.lineno} sets it"
        is_bool = isinstance(value, ast.Constant) and isinstance(value.value, bool)
        if is_bool and target in self._switches:
            return facts
        if isinstance(value, ast.Constant) and isinstance(value.value, (str, int, type(None))):
            return ConditionFacts(
                facts.atoms,
                {**facts.values, target: (frozenset({repr(value.value)}), reason)},
            )
        kind, how = DISPLAY_TYPES.get(type(value), ""), "isinstance"
        if isinstance(value, ast.Call):
            kind, how = self._type_of(value), "returned"
        if not kind:
            return facts
        if isinstance(value, ast.Call):
            reason = f"`{ast.unparse(value.func)}` returns a {kind}"
        return facts.with_fact(Atom(target, how, kind), truth=True, reason=reason)

    def _left(
        self, facts: ConditionFacts, *binding: ast.stmt | ast.expr | ast.pattern | ast.withitem
    ) -> ConditionFacts:
        """Return the facts that remain after some nodes have bound names."""
        return facts.without(self._bound.inside(*binding)) if facts else facts

    def _assumed(self, test: ast.expr, facts: ConditionFacts, *, truth: bool) -> ConditionFacts:
        reason = f"line {test.lineno} already tests it"
        facts = assume(test, facts, self._flags, truth=truth, reason=reason)
        others = frozenset(atom.name for atom in facts.atoms if atom.name not in self._own)
        return facts.without(others | self._bound.inside(test))

    def _operands(self, test: ast.expr, facts: ConditionFacts) -> None:
        """Collect the operands of an open condition that are constant by what was known before it."""
        for operand in test.values if isinstance(test, ast.BoolOp) else ():
            known = known_truth(operand, facts, self._flags)
            if known is not None:
                self.constant_operands.append(ConstantCondition(operand, known))
            else:
                self._operands(operand, facts)

    def _expressions(self, node: ast.stmt | ast.expr, facts: ConditionFacts) -> None:
        """Check the conditional expressions of a node, except in scopes of their own."""
        if not self._bound.has_conditional(node):
            return
        pending: list[ast.AST] = [node]
        while pending:
            part = pending.pop()
            if isinstance(part, ast.IfExp):
                known = known_truth(part.test, facts, self._flags)
                if known is not None:
                    self.constant_conditions.append(ConstantCondition(part.test, known))
                else:
                    self._operands(part.test, facts)
                continue
            if isinstance(part, OWN_SCOPES) or (isinstance(part, ast.stmt) and part is not node):
                continue
            pending += children(part)


def _merge(ways: list[ConditionFacts]) -> ConditionFacts | None:
    if not ways:
        return None
    merged = ways[0]
    for way in ways[1:]:
        merged = merged.intersection(way)
    return merged


def _heads(
    statement: ast.With | ast.AsyncWith | ast.Match,
) -> list[ast.withitem] | list[ast.pattern]:
    """Return the parts of a `with` or a `match` that bind names before its blocks run."""
    if isinstance(statement, ast.Match):
        return [case.pattern for case in statement.cases]
    return statement.items


def _assigned(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    """Return the only name that a statement assigns, and the value."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None, None
    return (target.id, statement.value) if isinstance(target, ast.Name) else (None, None)


def bool_parameters(function: Function) -> Iterator[str]:
    """Yield the parameters that are bools, by annotation or by default."""
    by_name = defaults(function.args)
    for parameter in parameters(function.args):
        default = by_name.get(parameter.arg)
        is_default = isinstance(default, ast.Constant) and isinstance(default.value, bool)
        annotation = parameter.annotation
        if is_default or (isinstance(annotation, ast.Name) and annotation.id == "bool"):
            yield parameter.arg
