"""The values that may reach a use of a local name, by the assignments of its function."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, imported, parameters

LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
CLOSED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Path = tuple[tuple[ast.stmt, int], ...]


class LocalValue(msgspec.Struct, frozen=True, eq=False):
    """One binding of a name, or of a dotted name such as `self.x`, inside a function.

    `value` is the expression, None where it is unknown (a parameter, a loop variable, a part that is
    overwritten). `index` is the position in `value` for `a, b = value`. `is_update` is whether the
    binding changes the previous value: `x += 1`, `x.clamp_(0)`, `x[i] = 0`.
    """

    name: str
    value: ast.expr | None
    statement: ast.stmt | None
    index: int | None = None
    is_update: bool = False


class LocalValues:
    """The bindings of one function, without those of nested functions and classes."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.bindings: dict[str, list[LocalValue]] = defaultdict(list)
        self._places: dict[ast.stmt, tuple[int, Path]] = {}
        for parameter in parameters(function.args):
            self._add(LocalValue(parameter.arg, None, None))
        self._read(function.body, ())

    def reaching(self, name: str, statement: ast.stmt) -> list[LocalValue]:
        """Return the bindings of a name that may hold where a statement begins, the nearest first.

        The list is empty if the function does not bind the name.
        """
        at, path = self._places.get(statement, (0, ()))
        found: list[LocalValue] = self._of_later_rounds(name, at, path)
        covered_from = 0
        hidden: list[Path] = []  # the blocks in which a binding hides what is above it
        for binding in reversed(self.bindings.get(name, ())):
            if binding.statement is None:
                return found if covered_from else [*found, binding]
            order, place = self._place(binding.statement)
            if order < covered_from:
                return found
            if order >= at or _are_exclusive(place, path) or _is_left(place, path):
                continue
            if any(_is_prefix(block, place) for block in hidden):
                continue
            found.append(binding)
            is_partial = binding.is_update and binding.value is None
            hidden += [] if is_partial else [place]
            if _is_prefix(place, path) and not is_partial:
                return found
            covered_from = max(covered_from, self._start_of_cover(name, place, path))
        return found

    def _place(self, statement: ast.stmt) -> tuple[int, Path]:
        """Return the position of a binding and the blocks around it, the loop of a loop variable included."""
        order, place = self._places[statement]
        if isinstance(statement, (ast.For, ast.AsyncFor)):
            place = (*place, (statement, 0))
        return order, place

    def _of_later_rounds(self, name: str, at: int, path: Path) -> list[LocalValue]:
        """Return the bindings further down in the loops around a use, which hold from the second round on."""
        loops = [statement for statement, _ in path if isinstance(statement, LOOPS)]
        if not loops:
            return []
        return [
            binding
            for binding in self.bindings.get(name, ())
            if binding.statement is not None
            and self._places[binding.statement][0] >= at
            and any(step == loops[0] for step, _ in self._places[binding.statement][1])
        ]

    def _start_of_cover(self, name: str, place: Path, path: Path) -> int:
        """Return where the statement around a binding starts if each of its branches binds the name, else 0."""
        depth = next((i for i, step in enumerate(place) if path[i : i + 1] != (step,)), len(place))
        statement = place[depth][0] if depth < len(place) else None
        is_covered = statement is not None and self._is_bound_by(statement, name)
        return self._places[statement][0] if statement is not None and is_covered else 0

    def _is_bound_by(self, statement: ast.stmt, name: str) -> bool:
        if any(b.statement is statement and not b.is_update for b in self.bindings.get(name, ())):
            return not isinstance(statement, LOOPS)
        if isinstance(statement, ast.If):
            branches = [statement.body, statement.orelse]
        elif isinstance(statement, (ast.With, ast.AsyncWith)):
            branches = [statement.body]
        else:
            return False
        return all(self._is_bound_in(branch, name) for branch in branches)

    def _is_bound_in(self, block: Sequence[ast.stmt], name: str) -> bool:
        if block and isinstance(block[-1], LEAVING):
            return True
        return any(self._is_bound_by(statement, name) for statement in block)

    def _read(self, block: Sequence[ast.stmt], path: Path) -> None:
        for statement in block:
            self._places[statement] = (len(self._places) + 1, path)
            for binding in _bindings(statement):
                self._add(binding)
            if not isinstance(statement, CLOSED):
                for number, nested in enumerate(blocks(statement)):
                    self._read(nested, (*path, (statement, number)))

    def _add(self, binding: LocalValue) -> None:
        self.bindings[binding.name].append(binding)


class FunctionValues:
    """The bindings of the functions of one file, each function read at its first query."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._functions: dict[Function, LocalValues] = {}

    def of(self, function: Function) -> LocalValues:
        """Return the bindings of a function."""
        if function not in self._functions:
            self._functions[function] = LocalValues(function)
        return self._functions[function]

    def reaching(self, node: ast.Name | ast.Attribute) -> list[LocalValue]:
        """Return the bindings that may reach the use of a name or dotted name, the nearest first."""
        functions = self._file.functions(node)
        name = dotted(node)
        if not functions or not name:
            return []
        return self.of(functions[-1]).reaching(name, self._file.enclosing(node)[-1])


def _is_left(place: Path, path: Path) -> bool:
    """Return whether the block of a binding leaves the function or the round, without the use in it."""
    for depth, (statement, number) in enumerate(place):
        if path[depth : depth + 1] != ((statement, number),):
            block = list(blocks(statement))[number]
            if block and isinstance(block[-1], LEAVING):
                return True
    return False


def _is_prefix(place: Path, path: Path) -> bool:
    return path[: len(place)] == place


def _are_exclusive(place: Path, path: Path) -> bool:
    """Return whether two places are in different branches of one statement."""
    for (one, number), (other, other_number) in zip(place, path, strict=False):
        if one is not other:
            return False
        if number != other_number:
            return isinstance(one, (ast.If, ast.Match))
    return False


def _bindings(statement: ast.stmt) -> Iterator[LocalValue]:
    """Yield what a statement itself binds."""
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _bound(target, statement.value, statement)
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield from _bound(statement.target, statement.value, statement)
    elif isinstance(statement, ast.AugAssign):
        yield from _bound(statement.target, _augmented(statement), statement, is_update=True)
    elif isinstance(statement, (ast.For, ast.AsyncFor)):
        yield from _unknown(statement.target, statement)
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        for item in statement.items:
            if item.optional_vars is not None:
                yield from _unknown(item.optional_vars, statement)
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from (LocalValue(name, None, statement) for name, _ in imported(statement))
    elif isinstance(statement, ast.Expr):
        yield from _modified(statement)


def _bound(
    target: ast.expr, value: ast.expr, statement: ast.stmt, *, is_update: bool = False
) -> Iterator[LocalValue]:
    if isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        if len(values) == len(target.elts):
            for part, own in zip(target.elts, values, strict=True):
                yield from _bound(part, own, statement)
            return
        for index, part in enumerate(target.elts):
            if dotted(part):
                yield LocalValue(dotted(part), value, statement, index)
            else:
                yield from _unknown(part, statement)
    elif isinstance(target, ast.Subscript):
        yield LocalValue(dotted(target.value), None, statement, is_update=True)
    elif dotted(target):
        yield LocalValue(dotted(target), value, statement, is_update=is_update)
    else:
        yield from _unknown(target, statement)


def _unknown(target: ast.expr, statement: ast.stmt) -> Iterator[LocalValue]:
    for node in ast.walk(target):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            yield LocalValue(dotted(node), None, statement)


def _augmented(statement: ast.AugAssign) -> ast.expr:
    """Return `x + 1` for the statement `x += 1`."""
    target, read = statement.target, ast.Load()
    operand: ast.expr = target
    if isinstance(target, ast.Name):
        operand = ast.copy_location(ast.Name(target.id, read), target)
    elif isinstance(target, ast.Attribute):
        operand = ast.copy_location(ast.Attribute(target.value, target.attr, read), target)
    return ast.copy_location(ast.BinOp(operand, statement.op, statement.value), statement)


def _modified(statement: ast.Expr) -> Iterator[LocalValue]:
    """Yield the update of `x` by the statement `x.clamp_(0).mul_(2)`."""
    node = statement.value
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name = node.func.attr
        if not name.endswith("_") or name.startswith("_"):
            return
        node = node.func.value
    if node is not statement.value and dotted(node):
        yield LocalValue(dotted(node), statement.value, statement, is_update=True)
