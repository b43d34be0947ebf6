"""Gradient accumulation: several backward passes before one step, and how their losses are weighted."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.training.data_loaders import is_constant_text
from esper_audit.source.idioms.training.training_events import EventKind, TrainingEvent
from esper_audit.source.idioms.training.training_flow import TrainingFlow, TrainingFlows
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, is_constant, parameters, terminal_name, text_of

SCALING_METHODS = frozenset({"div", "div_", "mul", "mul_", "sum"})
CHUNKING = frozenset({"chunk", "tensor_split"})
DEEPEST = 2
FETCHING = ("next", "get_batch", "__next__")
MEAN_FUNCTIONS = frozenset(
    {"cross_entropy", "mse_loss", "nll_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"}
    | {"binary_cross_entropy", "binary_cross_entropy_with_logits"}
)


class Accumulation(NamedTuple):
    """A backward pass, the loop that repeats it, how often it does before a step, and that step."""

    backward: TrainingEvent
    loop: ast.stmt
    rounds: str
    step: TrainingEvent


def accumulated_rounds(node: ast.Call, file: FileView) -> Accumulation | None:
    """Return the accumulation that a backward pass of a tensor belongs to, None if it is none."""
    if node.args or any(k.arg == "retain_graph" for k in node.keywords):
        return None
    for flow in file.once(TrainingFlows).having(node, EventKind.BACKWARD):
        event = next(event for event in flow.events if event.node is node)
        if not event.loops or event.helper:
            continue
        found = _inner_loop(event, flow) or _modulus(event, flow)
        if found is not None:
            return found
    return None


def is_undivided_mean(accumulated: Accumulation, file: FileView) -> bool:
    """Return whether the loss of a backward pass is a mean that nothing in the loop scales."""
    call = accumulated.backward.node
    functions = file.functions(call)
    around: ast.AST = functions[-1] if functions else accumulated.loop
    if _scales_gradients(around) or not isinstance(call, ast.Call):
        return False
    loss = call.func.value if isinstance(call.func, ast.Attribute) else call
    if isinstance(loss, ast.Call) and terminal_name(loss.func) == "scale" and loss.args:
        loss = loss.args[0]
    return _is_mean(loss, accumulated.loop, file)


def _inner_loop(event: TrainingEvent, flow: TrainingFlow) -> Accumulation | None:
    """Return the accumulation by an inner loop with a step after it."""
    loop = event.loops[-1]
    if isinstance(loop, ast.AsyncFor) or event.conditions(loop):
        return None
    ends = flow.of_kind(EventKind.STEP, EventKind.ZERO)
    if any(end.is_in(loop) for end in ends):
        return None
    following = [s for s in flow.after(event, EventKind.STEP) if s.loops == event.loops[:-1]]
    count = _rounds(loop) if isinstance(loop, ast.For) else _rounds_of_counter(loop)
    return Accumulation(event, loop, count, following[0]) if following and count else None


def _rounds(loop: ast.For) -> str:
    """Return how many micro-batches a loop has, empty if its rounds may be something else."""
    iterable, target = loop.iter, loop.target
    if isinstance(iterable, ast.Call) and terminal_name(iterable.func) == "enumerate":
        iterable = next(iter(iterable.args), iterable)
        target = target.elts[-1] if isinstance(target, ast.Tuple) else target
    if isinstance(iterable, ast.Call) and terminal_name(iterable.func) == "range":
        is_count = len(iterable.args) == 1 and text_of(iterable.args[0]) != "1"
        return text_of(iterable.args[0]) if is_count and _is_fetched_in(loop) else ""
    pieces = _pieces(iterable)
    if pieces:
        return pieces
    is_pair = isinstance(target, ast.Tuple) and all(
        isinstance(part, ast.Name) for part in target.elts
    )
    is_batch = is_pair or _has_fields(loop)
    return f"len({text_of(iterable)})" if is_batch and dotted(iterable) else ""


def _rounds_of_counter(loop: ast.stmt) -> str:
    """Return `n` for `while done < n`, empty unless each round fetches data and raises the counter."""
    test = loop.test if isinstance(loop, ast.While) else None
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Lt):
        return ""
    nodes = scan(loop, {ast.Call, ast.AugAssign}, NESTED_SCOPES)
    is_fetched = any(isinstance(n, ast.Call) and terminal_name(n.func) in FETCHING for n in nodes)
    counter = text_of(test.left)
    is_raised = any(isinstance(n, ast.AugAssign) and text_of(n.target) == counter for n in nodes)
    return text_of(test.comparators[0]) if is_fetched and is_raised else ""


def _pieces(iterable: ast.expr) -> str:
    """Return how many pieces of a batch a loop goes over, as of `zip(x.chunk(n), y.chunk(n))`."""
    if not isinstance(iterable, ast.Call):
        return ""
    last = terminal_name(iterable.func)
    if last == "zip":
        counts = {_pieces(argument) for argument in iterable.args}
        return counts.pop() if len(counts) == 1 else ""
    is_function = dotted(iterable.func).startswith("torch.")
    given = iterable.args[is_function:]
    return text_of(given[0]) if last in CHUNKING and len(given) == 1 else ""


def _has_fields(loop: ast.For) -> bool:
    """Return whether the variable of a loop is a batch with fields by name, as of `batch["x"]`."""
    return isinstance(loop.target, ast.Name) and any(
        isinstance(item, ast.Subscript)
        and dotted(item.value) == loop.target.id
        and isinstance(item.slice, ast.Constant)
        and isinstance(item.slice.value, str)
        for item in scan(loop, {ast.Subscript}, NESTED_SCOPES)
    )


def _is_fetched_in(loop: ast.For) -> bool:
    """Return whether each round of a loop fetches data: by `next`, a method or an index of the round."""
    index = dotted(loop.target)
    for node in scan(loop, {ast.Call, ast.Subscript}, NESTED_SCOPES):
        if isinstance(node, ast.Call) and terminal_name(node.func) in FETCHING:
            return True
        if isinstance(node, ast.Subscript):
            names = scan(node.slice, {ast.Name})
            if any(isinstance(n, ast.Name) and n.id == index for n in names):
                return True
    return False


def _modulus(event: TrainingEvent, flow: TrainingFlow) -> Accumulation | None:
    """Return the accumulation with a step under `if (i + 1) % n == 0`, or a counter that is reset."""
    loop = event.loops[-1]
    if event.conditions(loop):
        return None
    steps = [step for step in flow.after(event, EventKind.STEP) if step.loops == event.loops]
    zeros = [zero for zero in flow.of_kind(EventKind.ZERO) if zero.is_in(loop)]
    for step in steps:
        tests = [test for test, truth in step.conditions(loop) if truth]
        found = (_divisor(test) or _counted_to(test, loop) for test in tests)
        divisor = next(filter(None, found), "")
        shared = all(
            test in [t for t, _ in zero.conditions(loop)] for zero in zeros for test in tests
        )
        if divisor and zeros and shared:
            return Accumulation(event, loop, divisor, step)
    return None


def _divisor(test: str) -> str:
    """Return `n` for a test of the form `(i + 1) % n == 0`."""
    expression = ast.parse(test, mode="eval").body
    first = expression.values[0] if isinstance(expression, ast.BoolOp) else expression
    left = first.left if isinstance(first, ast.Compare) else first
    if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mod):
        return text_of(left.right)
    return ""


def _counted_to(test: str, loop: ast.stmt) -> str:
    """Return `n` for a test of the form `count == n` of a counter that the loop raises and resets."""
    expression = ast.parse(test, mode="eval").body
    if not isinstance(expression, ast.Compare) or not isinstance(
        expression.ops[0], ast.Eq | ast.GtE
    ):
        return ""
    counter = text_of(expression.left)
    changes = scan(loop, {ast.Assign, ast.AugAssign}, NESTED_SCOPES)
    is_raised = any(isinstance(c, ast.AugAssign) and text_of(c.target) == counter for c in changes)
    resets = [c for c in changes if isinstance(c, ast.Assign) and text_of(c.targets[0]) == counter]
    is_reset = any(is_constant(reset.value, 0) for reset in resets)
    return text_of(expression.comparators[0]) if is_raised and is_reset else ""


def _scales_gradients(around: ast.AST) -> bool:
    """Return whether a function scales gradients: `p.grad /= n` or `p.grad.div_(n)`."""
    for node in scan(around, {ast.AugAssign, ast.Call}):
        if isinstance(node, ast.AugAssign) and "grad" in text_of(node.target).split("."):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_scaling = node.func.attr in SCALING_METHODS
            if is_scaling and "grad" in text_of(node.func.value).split("."):
                return True
    return False


def _is_mean(loss: ast.expr, loop: ast.stmt, file: FileView) -> bool:
    """Return whether a loss is a mean over its batch that is not scaled."""
    if isinstance(loss, ast.Call):
        return _is_mean_call(loss, file)
    name = dotted(loss)
    if not name:
        return False
    statements = scan(loop, {ast.Assign, ast.AugAssign}, NESTED_SCOPES)
    values: list[ast.expr | None] = []
    for statement in statements:
        if isinstance(statement, ast.AugAssign) and text_of(statement.target) == name:
            return False
        if isinstance(statement, ast.Assign):
            values += _values_of(name, statement, file)
    return bool(values) and all(v is not None and _is_mean_result(v, file, DEEPEST) for v in values)


def _values_of(name: str, statement: ast.Assign, file: FileView) -> Iterator[ast.expr | None]:
    """Yield what a statement assigns to a name, None where it is unknown."""
    for target in statement.targets:
        if text_of(target) == name:
            yield statement.value
        elif isinstance(target, ast.Tuple) and name in (texts := [*map(text_of, target.elts)]):
            number = texts.index(name)
            results = _results(statement.value, file)
            yield from (_element(result, number) for result in results or (None,))


def _results(value: ast.expr, file: FileView) -> list[ast.expr]:
    """Return what the function of the file that a value calls may return."""
    target = file.once(LocalCalls).target(value) if isinstance(value, ast.Call) else None
    return [*returned_values(target)] if target is not None else []


def _element(value: ast.expr | None, number: int) -> ast.expr | None:
    """Return one element of a literal tuple, None for any other value."""
    elements = value.elts if isinstance(value, ast.Tuple) else []
    return elements[number] if number < len(elements) else None


def _is_mean_result(value: ast.expr, file: FileView, depth: int) -> bool:
    """Return whether what a function returns is the mean loss of a batch, perhaps through a name."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        return any(_is_mean_result(side, file, depth) for side in (value.left, value.right))
    values = [value] if isinstance(value, ast.Call) else file.once(Constructors).values(value)
    calls = [each for each in values if isinstance(each, ast.Call)]
    return bool(calls) and calls == values and all(_is_mean_call(c, file, depth) for c in calls)


def _is_mean_call(call: ast.Call, file: FileView, depth: int = DEEPEST) -> bool:
    """Return whether a call returns the mean loss of a batch."""
    if any(k.arg == "reduction" and not is_constant_text(k.value, "mean") for k in call.keywords):
        return False
    last = terminal_name(call.func)
    if last == "mean":
        return not (call.args or call.keywords)
    target = file.resolve(call.func) or ""
    if target.startswith("torch."):
        return last in MEAN_FUNCTIONS
    results = _results(call, file)
    if results and depth > 0:
        return all(_is_mean_result(result, file, depth - 1) for result in results)
    made = file.once(Constructors)
    losses = {n for n in made.of(call.func) if n.startswith("torch.nn.") and n.endswith("Loss")}
    makers = [value for value in made.values(call.func) if isinstance(value, ast.Call)]
    is_summed = any(k.arg == "reduction" for maker in makers for k in maker.keywords)
    is_parameter = isinstance(call.func, ast.Name) and not made.values(call.func)
    is_criterion = is_parameter and len(call.args) == 2 and not file.once(LocalCalls).target(call)
    return (bool(losses) and not is_summed) or (is_criterion and _is_given(call.func, file))


def _is_given(function: ast.expr, file: FileView) -> bool:
    """Return whether a function is a parameter, as a criterion is."""
    names = {p.arg for f in file.functions(function) for p in parameters(f.args)}
    return text_of(function) in names
