"""Expressions that wait for the device, and the loops over parameters, modules and batches around them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.training.training_events import EventKind
from esper_audit.source.idioms.training.training_flow import TrainingFlows
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, terminal_name

MEMBER_METHODS = {
    "parameters": "parameters",
    "named_parameters": "parameters",
    "buffers": "parameters",
    "modules": "modules",
    "named_modules": "modules",
    "children": "modules",
    "named_children": "modules",
}
HOT_FUNCTIONS = frozenset({"step", "forward", "training_step", "train_step", "__call__", "update"})
REDUCTIONS = frozenset(
    {"any", "all", "max", "min", "sum", "mean", "norm", "isnan", "isfinite", "isinf"}
)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
HOST_METHODS = frozenset({"cpu", "numpy", "from_numpy"})
DEEPEST = 3


class MemberLoop:
    """A loop or comprehension over the parameters or modules of a model."""

    def __init__(self, node: ast.AST, targets: list[ast.expr], kind: str) -> None:
        self.node = node
        self.kind = kind
        self.names = {n.id for t in targets for n in scan(t, {ast.Name}) if isinstance(n, ast.Name)}
        for _ in range(DEEPEST):
            self.names |= set(self._derived())

    def _derived(self) -> Iterator[str]:
        """Yield the names that the loop computes from its members."""
        for assigned in scan(self.node, {ast.Assign}, NESTED_SCOPES):
            if isinstance(assigned, ast.Assign) and self.holds(assigned.value):
                names = (n for t in assigned.targets for n in scan(t, {ast.Name}))
                yield from (n.id for n in names if isinstance(n, ast.Name))

    def holds(self, expression: ast.AST) -> bool:
        """Return whether an expression is computed from a member of the round."""
        names = (n.id for n in scan(expression, {ast.Name}) if isinstance(n, ast.Name))
        return not self.names.isdisjoint(names)


def member_loop(node: ast.expr, file: FileView) -> MemberLoop | None:
    """Return the innermost loop over parameters or modules around a node, whose member it uses."""
    above: ast.AST | None = file.parent(node)
    while above is not None and not isinstance(above, (*FUNCTIONS, ast.ClassDef)):
        loop = _loop_at(above, file)
        if loop is not None and loop.holds(node):
            return loop
        above = file.parent(above)
    return None


def is_on_host(node: ast.expr, loop: MemberLoop) -> bool:
    """Return whether the round has brought what is read to the host before."""
    names = names_in(node)
    values: list[ast.AST] = []
    for assigned in scan(loop.node, {ast.Assign}, NESTED_SCOPES):
        if isinstance(assigned, ast.Assign):
            targets = {
                n.id for t in assigned.targets for n in ast.walk(t) if isinstance(n, ast.Name)
            }
            values += [] if names.isdisjoint(targets) else [assigned.value]
    calls = [call for value in values for call in scan(value, {ast.Call})]
    return any(isinstance(c, ast.Call) and terminal_name(c.func) in HOST_METHODS for c in calls)


def is_hot(loop: MemberLoop, function: Function | None, file: FileView) -> bool:
    """Return whether a loop runs in every step: it reads gradients, or its function is one of the step."""
    reads = (
        a for a in scan(loop.node, {ast.Attribute}, NESTED_SCOPES) if isinstance(a, ast.Attribute)
    )
    if any(attribute.attr == "grad" for attribute in reads):
        return True
    if function is None:
        return False
    flows = [f for f in file.once(TrainingFlows).flows if f.function is function]
    return function.name in HOT_FUNCTIONS or any(f.of_kind(EventKind.BACKWARD) for f in flows)


def is_occasional(node: ast.expr, file: FileView) -> bool:
    """Return whether a node runs under a condition on a counter, a flag or a level of logging.

    An assertion, and a function that the file calls under such conditions only, are occasional too.
    """
    if _is_switched(node, file):
        return True
    functions = file.functions(node)
    callers = file.once(LocalCalls).callers(functions[-1]) if functions else []
    return bool(callers) and all(_is_switched(call, file) for call in callers)


def _is_switched(node: ast.expr, file: FileView) -> bool:
    inner: ast.AST = node
    above = file.parent(node)
    while above is not None and not isinstance(above, FUNCTIONS):
        if isinstance(above, ast.If) and inner is not above.test and _is_switch(above.test):
            return True
        if isinstance(above, ast.Assert):
            return True
        if isinstance(above, ast.Call) and terminal_name(above.func).startswith("assert"):
            return True
        inner, above = above, file.parent(above)
    return False


def _loop_at(node: ast.AST, file: FileView) -> MemberLoop | None:
    pairs: list[tuple[ast.expr, ast.expr]] = []
    if isinstance(node, (ast.For, ast.AsyncFor)):
        pairs = [(node.target, node.iter)]
    elif isinstance(node, COMPREHENSIONS):
        pairs = [(generator.target, generator.iter) for generator in node.generators]
    for target, iterable in pairs:
        kind = _members(iterable, file, 0)
        if kind:
            return MemberLoop(node, [target], kind)
    return None


def _members(iterable: ast.expr, file: FileView, depth: int) -> str:
    """Return what an iterable holds: parameters, modules or nothing known."""
    if depth > DEEPEST:
        return ""
    if isinstance(iterable, ast.Subscript):
        key = iterable.slice.value if isinstance(iterable.slice, ast.Constant) else None
        return "parameters" if key == "params" else ""
    if isinstance(iterable, (ast.ListComp, ast.GeneratorExp)):
        return _members(iterable.generators[0].iter, file, depth + 1)
    if isinstance(iterable, (ast.Name, ast.Attribute)):
        values = file.once(Constructors).values(iterable)
        return next((kind for v in values if (kind := _members(v, file, depth + 1))), "")
    if not isinstance(iterable, ast.Call):
        return ""
    last = terminal_name(iterable.func)
    if last in MEMBER_METHODS and isinstance(iterable.func, ast.Attribute):
        return MEMBER_METHODS[last]
    return next((kind for a in iterable.args if (kind := _members(a, file, depth + 1))), "")


def _is_switch(test: ast.expr) -> bool:
    """Return whether a condition is a modulus, or a plain flag."""
    if any(isinstance(b.op, ast.Mod) for b in scan(test, {ast.BinOp}) if isinstance(b, ast.BinOp)):
        return True
    return isinstance(test, (ast.Name, ast.Attribute, ast.Call)) and not scan(test, {ast.Compare})


def is_tensor_truth(test: ast.expr) -> bool:
    """Return whether a condition is the truth of a reduced tensor: `torch.isnan(g).any()`."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return is_tensor_truth(test.operand)
    if isinstance(test, ast.BoolOp):
        return any(is_tensor_truth(value) for value in test.values)
    if isinstance(test, ast.Compare):
        return any(_is_reduction(side) for side in (test.left, *test.comparators))
    return _is_reduction(test)


def _is_reduction(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    is_torch = terminal_name(node.func.value) == "torch"
    is_chained = isinstance(node.func.value, (ast.Call, ast.Attribute))
    return node.func.attr in REDUCTIONS and (is_torch or is_chained)
