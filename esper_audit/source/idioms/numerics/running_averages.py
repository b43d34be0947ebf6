"""Running averages that outlive a function, and the operations that change them in place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.numerics.ema_update import ema_update
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name, text_of

DECAYING = frozenset({"mul_", "_foreach_mul_"})
SUMMING = frozenset({"all_reduce", "reduce", "reduce_scatter", "all_reduce_"})
UPDATING = frozenset({"lerp_", "_foreach_lerp_"})
ADDING = frozenset({"add_", "addcmul_", "_foreach_add_", "_foreach_addcmul_"})
LOOKUPS = frozenset({"get", "setdefault"})
KEPT = (ast.Attribute, ast.Subscript)
STATEMENTS = frozenset({ast.Assign, ast.AugAssign, ast.Call})


def changed_average(node: ast.AST) -> ast.expr | None:
    """Return the name whose tensor an operation changes in place, None if it is no such operation."""
    if isinstance(node, ast.AugAssign):
        return node.target if dotted(node.target) else None
    if not isinstance(node, ast.Call):
        return None
    name = terminal_name(node.func)
    if name.startswith("_foreach_"):
        return node.args[0] if node.args and dotted(node.args[0]) else None
    if name == "mul_" and not (node.args and _is_quotient(node.args[0])):
        return None
    receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
    return receiver if receiver is not None and dotted(receiver) else None


def is_running_average(target: ast.expr, change: ast.Call | ast.AugAssign, file: FileView) -> str:
    """Return the name under which a tensor is a running average that lives on, empty if it is none."""
    functions = file.functions(change)
    name = dotted(target)
    if not functions or not name:
        return ""
    function = functions[-1]
    if _is_summed_over_ranks(name, function, change):
        return ""
    for known in _aliases(target, file):
        if _is_updated_before(known, function, change) and _is_kept(known, function, file):
            return known
    return name if _is_given_average(name, function, file) else ""


def _is_summed_over_ranks(name: str, function: Function, change: ast.Call | ast.AugAssign) -> bool:
    """Return whether a collective sums the tensor above a place: what is divided there is the sum over ranks."""
    calls = [node for node in scan(function, {ast.Call}) if isinstance(node, ast.Call)]
    return any(
        terminal_name(call.func) in SUMMING
        and call.args
        and dotted(call.args[0]) == name
        and call.lineno < change.lineno
        for call in calls
    )


def _is_quotient(node: ast.expr) -> bool:
    """Return whether an expression is `1 / x`."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)


def _aliases(target: ast.expr, file: FileView) -> Iterator[str]:
    """Yield the names of the same tensor, through assignments of a plain name."""
    node: ast.expr | None = target
    for _ in range(3):
        if node is None or not isinstance(node, (ast.Name, ast.Attribute)):
            return
        yield dotted(node)
        values = file.once(FunctionValues).reaching(node)
        node = values[0].value if len(values) == 1 and not values[0].is_update else None


def _is_updated_before(name: str, function: Function, change: ast.Call | ast.AugAssign) -> bool:
    """Return whether a function updates a running average above a place."""
    end = (change.lineno, change.col_offset)
    nodes = [n for n in scan(function, STATEMENTS) if (n.lineno, n.col_offset) < end]  # type: ignore[attr-defined]  # these have places
    updates = (ema_update(node) for node in nodes)
    if any(update is not None and update.average == name for update in updates):
        return True
    calls = [n for n in nodes if isinstance(n, ast.Call) and _operand(n) == name]
    if any(terminal_name(call.func) in UPDATING for call in calls):
        return True
    factors = [
        ast.unparse(call.args[-1])
        for call in calls
        if terminal_name(call.func) in DECAYING and call.args
    ]
    added = [ast.unparse(call) for call in calls if terminal_name(call.func) in ADDING]
    return any(f"1 - {factor}" in each for factor in factors for each in added)


def _operand(call: ast.Call) -> str:
    """Return the name that a method is called on, or the first argument of a `_foreach` function."""
    if terminal_name(call.func).startswith("_foreach_"):
        return dotted(call.args[0]) if call.args else ""
    node: ast.expr = call.func
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Attribute) and dotted(node.value):
            return dotted(node.value)
        node = node.func if isinstance(node, ast.Call) else node.value
    return ""


def _is_kept(name: str, function: Function, file: FileView) -> bool:
    """Return whether a tensor outlives the function: an argument, an attribute, an entry of a state."""
    bindings = file.once(FunctionValues).of(function).bindings.get(name, ())
    first = next((b for b in bindings if not b.is_update), None)
    if first is None or "." in name:
        return "." in name
    if first.value is None or isinstance(first.value, (ast.Subscript, ast.Attribute)):
        return True
    is_lookup = isinstance(first.value, ast.Call) and terminal_name(first.value.func) in LOOKUPS
    return is_lookup or isinstance(first.value, ast.Name)


def _is_given_average(name: str, function: Function, file: FileView) -> bool:
    """Return whether a function of the file passes a running average of its own for a parameter."""
    names = [p.arg for p in parameters(function.args) if p.arg not in ("self", "cls")]
    if name not in names:
        return False
    position = names.index(name)
    for call in file.nodes(ast.Call):
        if terminal_name(call.func) != function.name or len(call.args) <= position:
            continue
        given, callers = dotted(call.args[position]), file.functions(call)
        if given and callers and _is_updated_before(given, callers[-1], call):
            return _is_kept(given, callers[-1], file)
    return False


def discarded_update(node: ast.Call, file: FileView) -> ast.Expr | None:
    """Return the statement that computes an average and throws it away."""
    above: ast.AST | None = node
    outermost = node
    while isinstance(above, (ast.Call, ast.Attribute)):
        outermost = above if isinstance(above, ast.Call) else outermost
        below, above = above, file.parent(above)
        if isinstance(above, ast.Call) and below is not above.func:
            return None
    is_written = any(keyword.arg == "out" for keyword in outermost.keywords)
    is_pure = not (is_written or terminal_name(outermost.func).endswith("_"))
    return above if isinstance(above, ast.Expr) and is_pure else None


def assigned_through_names(node: ast.Assign, file: FileView) -> ast.Assign:
    """Return `old = b*old + ...` for `old = self.a[k]; new = b*old + ...; self.a[k] = new`."""
    is_direct = isinstance(node.value, ast.BinOp)
    computed = node.value if is_direct else _only_value(node.value, file)
    if not isinstance(node.targets[0], KEPT) or not isinstance(computed, ast.BinOp):
        return node
    place = text_of(node.targets[0])
    for name in (n for n in walk(computed) if isinstance(n, ast.Name)):
        before = _only_value(name, file)
        if before is not None and place in (text_of(before), _looked_up(before)):
            return ast.Assign([name], computed)
    return ast.Assign(node.targets, computed)


def _looked_up(node: ast.expr) -> str:
    """Return the entry that `table.get(key, other)` or `table.setdefault(key, other)` looks up."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return ""
    is_lookup = node.func.attr in LOOKUPS
    return f"{text_of(node.func.value)}[{text_of(node.args[0])}]" if is_lookup else ""


def _only_value(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return what a local name is bound to at its place, None unless that is one whole expression."""
    found = file.once(FunctionValues).reaching(node) if isinstance(node, ast.Name) else []
    is_whole = len(found) == 1 and found[0].index is None and not found[0].is_update
    return found[0].value if is_whole else None
