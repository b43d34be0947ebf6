"""Updates of running averages that reach no tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.numerics.average_keys import unheld_keys
from esper_audit.source.idioms.numerics.ema_update import ema_update, literal_number
from esper_audit.source.idioms.numerics.iterated_modules import frozen_modules, iterated_modules
from esper_audit.source.idioms.numerics.tensor_calls import enclosing_family
from esper_audit.source.syntax.ast_walk import names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import dotted, terminal_name

STATEMENTS = frozenset({ast.Assign, ast.AugAssign, ast.Call})


def rebound_averages(loop: ast.For) -> Iterator[ast.Assign]:
    """Yield the assignments of an average to a variable of the loop that is not read afterwards."""
    targets = names_in(loop.target) | set(_looked_up(loop))
    for node in scan(loop, {ast.Assign}):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        update = ema_update(node)
        if update is None or update.average != name or name not in targets:
            continue
        later = (part for part in scan(loop, {ast.Name}) if part.lineno > (node.end_lineno or 0))  # type: ignore[attr-defined]  # a name
        if not any(isinstance(part, ast.Name) and part.id == name for part in later):
            yield node


def _looked_up(loop: ast.For) -> Iterator[str]:
    """Yield the names that a loop binds to entries of a table: `average = self.shadow[name]`."""
    for node in scan(loop, {ast.Assign}):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            is_entry = isinstance(node.value, ast.Subscript)
            is_entry |= isinstance(node.value, ast.Attribute) and node.value.attr == "data"
            yield from [node.targets[0].id] if is_entry else []


def frozen_filters(loop: ast.For, file: FileView) -> Iterator[tuple[ast.expr, str, str]]:
    """Yield each test of `requires_grad` of frozen parameters, with the variable and the module."""
    frozen = frozen_modules(enclosing_family(loop, file))
    variables = {name: source for name, source in iterated_modules(loop) if source in frozen}
    for node in scan(loop, {ast.If}):
        if not isinstance(node, ast.If):
            continue
        test, is_negated = node.test, False
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, is_negated = test.operand, True
        if not isinstance(test, ast.Attribute) or test.attr != "requires_grad":
            continue
        name = dotted(test.value)
        is_skip = is_negated and isinstance(node.body[-1], ast.Continue)
        if name in variables and (is_skip or not is_negated):
            yield node.test, name, variables[name]


def copied_averages(loop: ast.For, file: FileView) -> Iterator[ast.Assign]:
    """Yield the averages that replace entries of a state dict that is not loaded again."""
    functions = file.functions(loop)
    calls = scan(functions[-1], {ast.Call, ast.Return}) if functions else []
    text = " ".join(ast.unparse(call) for call in calls)
    if not functions or "load_state_dict" in text:
        return
    for node in scan(loop, {ast.Assign}):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if not isinstance(target, ast.Subscript) or not isinstance(target.value, ast.Name):
            continue
        bound = file.once(FunctionValues).of(functions[-1]).bindings.get(target.value.id, ())
        origins = [binding.value for binding in bound]
        is_state = any(
            isinstance(o, ast.Call) and terminal_name(o.func) == "state_dict" for o in origins
        )
        is_given = f"return {target.value.id}" in text
        is_lost = is_state and not is_given and ema_update(node) is not None
        if is_lost and isinstance(node, ast.Assign):
            yield node


def unmatched_names(loop: ast.For) -> Iterator[tuple[ast.Compare, list[str]]]:
    """Yield the comparisons of a parameter's full name with a name without a path around an update."""
    calls = [c for c in scan(loop.iter, {ast.Call}) if isinstance(c, ast.Call)]
    if not any(terminal_name(c.func) == "named_parameters" for c in calls):
        return
    names = names_in(loop.target)
    for node in scan(loop, {ast.Compare}):
        assert isinstance(node, ast.Compare)
        if dotted(node.left) not in names or not isinstance(node.ops[0], (ast.Eq, ast.In)):
            continue
        right = node.comparators[0]
        parts = right.elts if isinstance(right, (ast.List, ast.Tuple, ast.Set)) else [right]
        if isinstance(node.ops[0], ast.In) and parts == [right]:
            continue
        literals = [
            p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)
        ]
        if len(literals) == len(parts) and not any("." in each for each in literals):
            yield node, literals


def missed_keys(loop: ast.For, file: FileView) -> Iterator[tuple[ast.expr, str, str, str]]:
    """Yield each question of a loop for a key that no entry of its table of averages has."""
    family = enclosing_family(loop, file)
    if family is not None:
        yield from unheld_keys(loop, family, file)


def idle_counter(branch: ast.If, file: FileView) -> ast.Attribute | None:
    """Return the counter that keeps its initial 0 in the test around the update of an average."""
    test = branch.test
    if not isinstance(test, ast.Compare):
        return None
    is_exit = isinstance(branch.body[-1], (ast.Return, ast.Continue))
    kinds = (ast.Lt, ast.LtE) if is_exit else (ast.Gt, ast.GtE)
    functions = file.functions(branch)
    scope = functions[-1] if is_exit and functions else branch
    counter = test.left
    family = enclosing_family(branch, file)
    if not isinstance(test.ops[0], kinds) or not isinstance(counter, ast.Attribute):
        return None
    if family is None or not has_update(scope):
        return None
    bindings = family.bindings(counter.attr)
    is_zero = [b.value is not None and literal_number(b.value) == 0 for b in bindings]
    elsewhere = [
        node
        for node in file.nodes(ast.Attribute)
        if node.attr == counter.attr and isinstance(node.ctx, ast.Store)
    ]
    limit = literal_number(test.comparators[0])
    is_reached = limit is not None and limit <= 0 and isinstance(test.ops[0], ast.GtE)
    if len(bindings) == 1 and all(is_zero) and len(elsewhere) == 1 and not is_reached:
        return counter
    return None


def has_update(scope: ast.AST) -> bool:
    """Return whether a running average is updated inside a statement."""
    return any(ema_update(node) is not None for node in scan(scope, STATEMENTS))
