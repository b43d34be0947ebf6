"""The flow of arguments through the names of one function, and the statements that write into them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import msgspec

from esper_audit.source.idioms.aliasing.argument_part import (
    ITEM,
    NONE,
    SLICE,
    ArgumentPart,
    Environment,
    Origins,
    joined_environments,
    part_of,
)
from esper_audit.source.idioms.aliasing.copy_choice import is_about_copying, without_copied
from esper_audit.source.idioms.aliasing.shared_storage import (
    ITEM_METHODS,
    VIEW_ATTRIBUTES,
    Resolve,
    has_slice,
    is_basic_index,
    is_item_removal,
    iterated,
    viewed_by_call,
    written_by_call,
)
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, children, scan
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

COMPOUND = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


class ArgumentWrite(msgspec.Struct, frozen=True, eq=False):
    """A write into the storage of a parameter: the node, the parameter, what is written into.

    `part` is what of the parameter it reaches. `is_replacing` is whether it assigns what is computed
    from the parameter itself.
    """

    node: ast.expr | ast.stmt
    parameter: str
    part: str
    target: ast.expr
    is_replacing: bool


class CalleeEffects(msgspec.Struct, frozen=True):
    """The positions of the arguments that a called function writes into, and that it hands back."""

    written: frozenset[int] = frozenset()
    returned: frozenset[int] = frozenset()


NO_EFFECTS = CalleeEffects()
LookUp = Callable[[ast.Call], CalleeEffects]


class AliasFlow:
    """The statements of a function in order, with what each name may share storage with."""

    def __init__(self, function: Function, resolve: Resolve, called: LookUp) -> None:
        self._function = function
        self._resolve = resolve
        self._called = called
        self._writes: dict[tuple[ast.AST, str], ArgumentWrite] = {}
        self._returned: set[str] = set()
        self._exits: list[list[Environment]] = []
        self._calls: dict[ast.stmt, list[ast.Call]] = {}

    @cached_property
    def writes(self) -> list[ArgumentWrite]:
        """Every write into a parameter, in the order of the function."""
        names = [p.arg for p in parameters(self._function.args)]
        extra = {p.arg for p in (self._function.args.vararg, self._function.args.kwarg) if p}
        start = {name: frozenset({ArgumentPart(name)}) for name in names if name not in extra}
        self._run(self._function.body, start)
        self._called = _not_followed  # it holds what holds this flow, and is not called again
        return sorted(self._writes.values(), key=lambda write: write.node.lineno)

    @property
    def returned(self) -> frozenset[str]:
        """The parameters whose storage a return value shares."""
        return frozenset(self._returned) if self.writes is not None else frozenset()

    @cached_property
    def integers(self) -> frozenset[str]:
        """The names that are bound by counting loops alone."""
        counting: set[str] = set()
        others: set[str] = set()
        for node in scan(self._function, {ast.For, ast.Assign, ast.AugAssign}, NESTED_SCOPES):
            if isinstance(node, ast.For):
                counting |= _counted(node)
            elif isinstance(node, ast.Assign):
                others |= {name for target in node.targets for name in _bound(target)}
        return frozenset(counting - others)

    def _run(self, block: Sequence[ast.stmt], before: Environment) -> Environment | None:
        """Return what the names share after a block, None where no path leaves it at its end."""
        now: Environment | None = dict(before)
        for statement in block:
            if now is None:
                return None
            now = self._step(statement, now)
        return now

    def _step(self, statement: ast.stmt, now: Environment) -> Environment | None:
        if isinstance(statement, (Function, ast.ClassDef)):
            return now
        self._read_expressions(statement, now)
        if isinstance(statement, COMPOUND):
            return self._branch(statement, now)
        if isinstance(statement, ast.Return):
            if not isinstance(statement.value, ast.Tuple):
                self._returned |= {o.parameter for o in self._origins(statement.value, now)}
            return None
        if isinstance(statement, (ast.Raise, ast.Break, ast.Continue)):
            if self._exits and not isinstance(statement, ast.Raise):
                self._exits[-1].append(now)
            return None
        self._assign(statement, now)
        return now

    def _branch(self, statement: ast.stmt, now: Environment) -> Environment | None:
        if isinstance(statement, ast.If):
            if is_about_copying(statement.test):
                now = without_copied(statement, now)
            return joined_environments(
                [self._run(statement.body, now), self._run(statement.orelse, now)]
            )
        if isinstance(statement, (ast.For, ast.AsyncFor, ast.While)):
            return self._loop(statement, now)
        if isinstance(statement, ast.Try):
            after = self._run([*statement.body, *statement.orelse], now)
            begun = joined_environments([now, after]) or now
            ends = [after, *(self._run(handler.body, begun) for handler in statement.handlers)]
            joined = joined_environments(ends)
            return self._run(statement.finalbody, joined) if joined is not None else None
        inside = [self._run(block, now) for block in blocks(statement)]
        return joined_environments(
            inside if isinstance(statement, (ast.With, ast.AsyncWith)) else [now, *inside]
        )

    def _loop(self, loop: ast.For | ast.AsyncFor | ast.While, now: Environment) -> Environment:
        self._exits.append([])
        for _ in range(2):
            start = dict(now)
            if not isinstance(loop, ast.While):
                self._bind_loop(loop, start)
            now = joined_environments([now, self._run(loop.body, start), *self._exits[-1]]) or now
        self._exits.pop()
        return joined_environments([now, self._run(loop.orelse, now)]) or now

    def _bind_loop(self, loop: ast.For | ast.AsyncFor, now: Environment) -> None:
        sources = iterated(loop.iter)
        target = loop.target
        if isinstance(loop.iter, ast.Call) and dotted(loop.iter.func) == "enumerate":
            target = target.elts[-1] if isinstance(target, ast.Tuple) and target.elts else target
        if isinstance(target, ast.Tuple) and len(target.elts) == len(sources) > 1:
            for part, source in zip(target.elts, sources, strict=True):
                self._bind(part, part_of(self._origins(source, now), ITEM), now)
        else:
            self._bind(target, part_of(self._origins_of_all(sources, now), ITEM), now)

    def _read_expressions(self, statement: ast.stmt, now: Environment) -> None:
        """Record the writes of the calls in the expressions of a statement, without nested blocks."""
        if statement not in self._calls:
            self._calls[statement] = _calls_of(statement)
        for call in self._calls[statement]:
            for target in self._written(call):
                self._write(call, target, now)

    def _written(self, call: ast.Call) -> list[ast.expr]:
        positions = self._called(call).written
        given = [a for at, a in enumerate(call.args) if at in positions]
        if self._function.name == "forward" and is_item_removal(call):
            given.append(call.func.value)  # type: ignore[attr-defined]  # a method
        return written_by_call(call, self._resolve) + given

    def _assign(self, statement: ast.stmt, now: Environment) -> None:
        if isinstance(statement, ast.AugAssign):
            self._write(statement, statement.target, now, statement)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                self._assign_to(statement, target, statement.value, now)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign_to(statement, statement.target, statement.value, now)

    def _assign_to(
        self, statement: ast.stmt, target: ast.expr, value: ast.expr, now: Environment
    ) -> None:
        parts = target.elts if isinstance(target, ast.Tuple) else []
        values = value.elts if isinstance(value, ast.Tuple) else []
        if parts and len(parts) == len(values):
            origins = [self._origins(each, now) for each in values]
            for part, found in zip(parts, origins, strict=True):
                self._bind(part, found, now)
            return
        if isinstance(target, ast.Subscript):
            self._write(statement, target, now, value)
        self._bind(target, self._origins(value, now), now)

    def _bind(self, target: ast.expr, origins: Origins, now: Environment) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self._bind(part, origins, now)
        elif isinstance(target, ast.Starred):
            self._bind(target.value, origins, now)
        elif dotted(target):
            now[dotted(target)] = origins

    def _write(
        self,
        node: ast.expr | ast.stmt,
        target: ast.expr,
        now: Environment,
        value: ast.AST | None = None,
    ) -> None:
        owner = target.value if isinstance(target, ast.Subscript) else target
        origins = self._origins(owner, now)
        names = scan(value, {ast.Name}, NESTED_SCOPES) if origins and value is not None else []
        read = {o.parameter for n in names if isinstance(n, ast.Name) for o in now.get(n.id, NONE)}
        for parameter, part in sorted(origins):
            write = ArgumentWrite(node, parameter, part, target, parameter in read)
            self._writes.setdefault((node, parameter), write)

    def _origins_of_all(self, nodes: Iterable[ast.expr], now: Environment) -> Origins:
        return NONE.union(*(self._origins(node, now) for node in nodes))

    def _origins(self, node: ast.expr | None, now: Environment) -> Origins:
        """Return the parameters whose storage the value of an expression may share."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            known = now.get(dotted(node))
            if known is not None or isinstance(node, ast.Name):
                return known or NONE
            return self._origins(node.value, now) if node.attr in VIEW_ATTRIBUTES else NONE
        if isinstance(node, ast.Subscript):
            is_view = is_basic_index(node.slice, self.integers)
            part = SLICE if has_slice(node.slice) else ITEM
            return part_of(self._origins(node.value, now), part) if is_view else NONE
        if isinstance(node, ast.Call):
            positions = self._called(node).returned
            given = [a for at, a in enumerate(node.args) if at in positions]
            given += viewed_by_call(node, self._resolve)
            found = self._origins_of_all(given, now)
            return part_of(found, ITEM) if terminal_name(node.func) in ITEM_METHODS else found
        return self._origins_of_all(_alternatives(node), now)


def _bound(target: ast.expr) -> set[str]:
    """Return the names that a target binds, without those that it reads."""
    names = (node for node in ast.walk(target) if isinstance(node, ast.Name))
    return {node.id for node in names if isinstance(node.ctx, ast.Store)}


def _not_followed(_: ast.Call) -> CalleeEffects:
    return NO_EFFECTS


def _calls_of(statement: ast.stmt) -> list[ast.Call]:
    """Return the calls in the expressions of a statement, without those of nested blocks."""
    roots = (n for n in children(statement) if isinstance(n, (ast.expr, ast.withitem)))
    found = (call for root in roots for call in scan(root, {ast.Call}, NESTED_SCOPES))
    return [call for call in found if isinstance(call, ast.Call)]


def _alternatives(node: ast.expr | None) -> list[ast.expr]:
    """Return the expressions one or all of which an expression has as its value."""
    if isinstance(node, ast.IfExp):
        return [] if is_about_copying(node.test) else [node.body, node.orelse]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, (ast.NamedExpr, ast.Starred)):
        return [node.value]
    return []


def _counted(loop: ast.For) -> set[str]:
    """Return the names that a loop over `range` or `enumerate` counts with."""
    name = dotted(loop.iter.func) if isinstance(loop.iter, ast.Call) else ""
    target = loop.target
    if name == "enumerate" and isinstance(target, ast.Tuple) and target.elts:
        target = target.elts[0]
    elif name not in ("range", "trange"):
        return set()
    return {target.id} if isinstance(target, ast.Name) else set()
