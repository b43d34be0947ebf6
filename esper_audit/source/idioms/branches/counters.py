"""Comparisons of a counter that has just been incremented, and of constants."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import block_in
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted

RESTORING = frozenset({"load_state_dict", "set_extra_state", "__setstate__"})
NEVER_NEGATIVE = frozenset({"len", "abs"})


def is_increment(statement: ast.AugAssign) -> bool:
    """Return whether a statement adds a positive number to a name."""
    step = _number(statement.value) if isinstance(statement.op, ast.Add) else None
    return step is not None and step > 0 and bool(dotted(statement.target))


def least_after(increment: ast.AugAssign, file: FileView) -> float | None:
    """Return the least value of a counter after an increment, or None if it is not known.

    All other bindings of the counter are constants and increments.
    """
    step, target = _number(increment.value), dotted(increment.target)
    if step is None or not is_increment(increment):
        return None
    starts: list[float] = []
    for node in _bindings(target, increment, file):
        value = _value_bound(node, target)
        number = _number(value) if value is not None else None
        is_growing = isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)
        if number is None or (isinstance(node, ast.AugAssign) and not (is_growing and number >= 0)):
            return None
        if not isinstance(node, ast.AugAssign):
            starts.append(number)
    return min(starts) + step if starts else None


def tests_after(increment: ast.AugAssign, block: Sequence[ast.stmt]) -> Iterator[ast.Compare]:
    """Yield the comparisons of a counter in the `if` statements that follow its increment at once."""
    target = dotted(increment.target)
    for statement in block[block.index(increment) + 1 :]:
        if not isinstance(statement, ast.If):
            return
        pending: list[ast.expr] = [statement.test]
        while pending:
            test = pending.pop()
            if isinstance(test, ast.BoolOp):
                pending += test.values
            elif isinstance(test, ast.Compare) and dotted(test.left) == target:
                yield test
        if any(dotted(node.target) == target for node in scan(statement, {ast.AugAssign})):  # type: ignore[attr-defined]  # an increment
            return
        if any(target in map(dotted, node.targets) for node in scan(statement, {ast.Assign})):  # type: ignore[attr-defined]  # an assignment
            return


def truth_from(test: ast.Compare, least: float) -> bool | None:
    """Return the truth of a comparison of a value that is at least `least`, or None if it is open."""
    bound = _number(test.comparators[0]) if len(test.ops) == 1 else None
    if bound is None:
        return None
    operator = test.ops[0]
    if isinstance(operator, ast.Lt):
        return False if least >= bound else None
    if isinstance(operator, (ast.LtE, ast.Eq)):
        return False if least > bound else None
    if isinstance(operator, ast.GtE):
        return True if least >= bound else None
    return True if isinstance(operator, (ast.Gt, ast.NotEq)) and least > bound else None


def truth_of_size(test: ast.Compare) -> bool | None:
    """Return the truth of `len(x) >= 0` and of a comparison of two numbers, or None if it is open."""
    left = test.left
    if isinstance(left, ast.Call) and dotted(left.func) in NEVER_NEGATIVE:
        is_half_open = isinstance(test.ops[0], (ast.Lt, ast.GtE))
        return truth_from(test, 0.0) if is_half_open else None
    first, second = _number(left), _number(test.comparators[0])
    if first is None or second is None or len(test.ops) != 1:
        return None
    return truth_from(test, first) if first >= second else _mirrored(test, first, second)


def block_of(statement: ast.stmt, file: FileView) -> Sequence[ast.stmt]:
    """Return the block that holds a statement."""
    enclosing = file.enclosing(statement)
    outer = enclosing[-2] if len(enclosing) > 1 else None
    return block_in(outer, statement) if outer is not None else file.tree.body


def _mirrored(test: ast.Compare, first: float, second: float) -> bool | None:
    operator = test.ops[0]
    if isinstance(operator, (ast.Lt, ast.LtE, ast.NotEq)):
        return True
    return False if isinstance(operator, (ast.Gt, ast.GtE, ast.Eq)) and first < second else None


def _bindings(target: str, place: ast.AugAssign, file: FileView) -> list[ast.stmt]:
    """Return the other statements that bind a counter: of the class for `self.x`, else of the function."""
    scopes = file.definitions(place)
    if target.startswith("self."):
        classes = [scope for scope in scopes if isinstance(scope, ast.ClassDef)]
        if not classes:
            return []
        members = file.once(class_table).family(classes[-1]).members
        roots: list[ast.AST] = [member.definition for member in members]
    else:
        roots = [*[s for s in scopes if isinstance(s, Function)][-1:]]
    kinds = {ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.With}
    found = [n for root in roots for n in scan(root, kinds) if n is not place]
    bound = [n for n in found if isinstance(n, ast.stmt) and target in _targets(n)]
    return [n for n in bound if not _is_restored(n, file)]


def _is_restored(statement: ast.stmt, file: FileView) -> bool:
    """Return whether a statement gives a counter what an earlier run of the same counter has saved."""
    functions = file.functions(statement)
    is_item = isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Subscript)
    return is_item and bool(functions) and functions[-1].name in RESTORING


def _targets(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        parts = [
            p for t in statement.targets for p in (t.elts if isinstance(t, ast.Tuple) else [t])
        ]
        return [dotted(part) for part in parts]
    if isinstance(statement, (ast.AnnAssign, ast.AugAssign, ast.For)):
        return [dotted(statement.target)]
    return []


def _value_bound(statement: ast.stmt, target: str) -> ast.expr | None:
    """Return what a statement binds to a name: one side of `x, y = 0, 1`."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return None
    names = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    if not isinstance(names, ast.Tuple) or not isinstance(statement.value, ast.Tuple):
        return statement.value
    pairs = zip(map(dotted, names.elts), statement.value.elts, strict=False)
    return dict(pairs).get(target)


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return -inner if inner is not None else None
    is_number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return float(node.value) if is_number and isinstance(node, ast.Constant) else None  # type: ignore[arg-type]  # a number
