"""Causal masks of a file: where one is made, the name that holds it, and where that is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, returned_values, scan
from esper_audit.source.syntax.enclosing import block_in
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

MASK_MAKERS = frozenset(
    {"triu", "tril", "triu_", "tril_", "generate_square_subsequent_mask", "subsequent_mask"}
    | {"_generate_square_subsequent_mask"}
)
WRAPPERS = frozenset({"Parameter", "Buffer"})
KEEPING = frozenset(
    {
        "view",
        "reshape",
        "unsqueeze",
        "expand",
        "repeat",
        "contiguous",
        "clone",
        "detach",
        "logical_not",
    }
    | {"bool", "float", "half", "to", "type", "type_as", "cuda", "masked_fill"}
)
SIZES = frozenset({"shape", "size", "device", "dtype", "ndim", "dim", "numel"})
PICKING = frozenset({"narrow", "index_select", "select", "gather", "take_along_dim"})
BRANCHES = (ast.If, ast.For, ast.While, ast.With, ast.Try)
Use = tuple[ast.expr, Function]


def mask_uses(made: ast.Call, file: FileView) -> list[Use]:
    """Return where the causal mask that a call makes is applied, with the functions around.

    It is followed through a local name, an attribute, or the result of a function of the file. A test
    for None and its sizes apply nothing.
    """
    found: list[Use] = []
    for place in mask_places(made, file):
        functions = file.functions(place)
        names = _held_at(place, file) if functions else []
        uses = [use for name in names for use in _reads(name, functions[-1], file)]
        found += uses or ([(place, functions[-1])] if functions and not names else [])
    return [use for use in found if not _is_query(use[0], file)]


def holders(made: ast.Call, file: FileView) -> list[str]:
    """Return the local names and attributes (`self.x`) that hold the mask of a call."""
    places = (place for place in mask_places(made, file) if file.functions(place))
    return [name for place in places for name in _held_at(place, file)]


def mask_places(made: ast.Call, file: FileView) -> list[ast.Call]:
    """Return the call that makes a mask, or the calls of the function that returns it."""
    functions = file.functions(made)
    statement = file.enclosing(made)[-1]
    names = {dotted(value) for value in returned_values(functions[-1])} if functions else set()
    held = set(_held_at(made, file)) if functions else set()
    if not isinstance(statement, ast.Return) and not (names & held - {""}):
        return [made]
    calls = file.nodes(ast.Call)
    return [call for call in calls if terminal_name(call.func) == functions[-1].name]


def _held_at(made: ast.Call, file: FileView) -> list[str]:
    """Return the local names and attributes that the statement around a call binds to its result."""
    statement = file.enclosing(made)[-1]
    names: list[str] = []
    if isinstance(statement, (ast.Assign, ast.AnnAssign)) and _is_result(statement.value, made):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = [dotted(target) for target in targets]
    elif isinstance(made.func, ast.Attribute) and made.func.attr.endswith("_"):
        names = [dotted(made.func.value)]
    elif isinstance(statement, ast.Expr):
        names = [f"self.{name}" for name in _registered(statement)]
    function = file.functions(made)[-1]
    handed = [name for held in names for name in _handed_on(held, function)]
    return [name for name in handed or names if name]


def _is_result(value: ast.expr | None, made: ast.Call) -> bool:
    """Return whether a value is what a call makes, perhaps cast, indexed, compared, scaled or chosen."""
    if value is made or value is None:
        return value is made
    if isinstance(value, ast.IfExp):
        return _is_result(value.body, made) or _is_result(value.orelse, made)
    if isinstance(value, ast.UnaryOp):
        return _is_result(value.operand, made)
    if isinstance(value, ast.Subscript):
        return _is_result(value.value, made)
    if isinstance(value, ast.Call) and terminal_name(value.func) in WRAPPERS and value.args:
        return _is_result(value.args[0], made)
    if isinstance(value, ast.Compare):
        return _is_result(value.left, made)
    if isinstance(value, ast.BinOp):
        number = isinstance(value.right, (ast.Constant, ast.UnaryOp, ast.Call))
        return _is_result(value.left, made) and number
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and _is_result(value.func.value, made)
    )


def guards(
    node: ast.expr | ast.stmt, function: Function, file: FileView
) -> Iterator[tuple[ast.expr, bool]]:
    """Yield the tests of the function under which a node is reached, each with its outcome."""
    below: ast.AST = node
    above = file.parent(node)
    while above is not None and below is not function:
        if isinstance(above, ast.IfExp) and below is not above.test:
            yield above.test, below is above.body
        elif isinstance(above, ast.If) and below is not above.test:
            yield above.test, below in above.body
        if isinstance(below, ast.stmt) and isinstance(above, (*BRANCHES, Function)):
            yield from _left_early(below, above)
        below, above = above, file.parent(above)


def _left_early(statement: ast.stmt, above: ast.stmt) -> Iterator[tuple[ast.expr, bool]]:
    """Yield the tests above a statement in its block whose branch leaves the function."""
    block = block_in(above, statement)
    for earlier in block[: block.index(statement)]:
        if isinstance(earlier, ast.If) and isinstance(earlier.body[-1], (ast.Return, ast.Raise)):
            yield earlier.test, False


def required_arguments(test: ast.expr, outcome: bool) -> Iterator[str]:
    """Yield the names that are not None, or true, wherever a test has an outcome."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from required_arguments(test.operand, not outcome)
    elif isinstance(test, ast.BoolOp):
        if isinstance(test.op, ast.And) is outcome:
            for part in test.values:
                yield from required_arguments(part, outcome)
    elif isinstance(test, ast.Compare) and len(test.ops) == 1:
        right = test.comparators[0]
        is_none = isinstance(right, ast.Constant) and right.value is None
        if is_none and isinstance(test.ops[0], ast.IsNot if outcome else ast.Is):
            yield dotted(test.left)
    elif outcome:
        yield dotted(test)


def _registered(statement: ast.stmt) -> Iterator[str]:
    """Yield the name under which a statement registers a buffer."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and terminal_name(call.func) == "register_buffer" and call.args:
        name = call.args[0]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value


def _handed_on(name: str, function: Function) -> Iterator[str]:
    """Yield the attributes that a function binds to a local name."""
    for node in scan(function, {ast.Assign, ast.Expr}, NESTED_SCOPES):
        if isinstance(node, ast.Assign) and name and _held_name(node.value) == name:
            yield from (dotted(t) for t in node.targets if isinstance(t, ast.Attribute))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            given = [
                n.id for a in node.value.args[1:] for n in ast.walk(a) if isinstance(n, ast.Name)
            ]
            yield from (f"self.{each}" for each in _registered(node) if name in given)


def _held_name(value: ast.expr) -> str:
    """Return the name of what a value holds, perhaps indexed, cast or wrapped as a parameter."""
    while isinstance(value, (ast.Subscript, ast.Call)):
        if isinstance(value, ast.Subscript):
            value = value.value
        elif terminal_name(value.func) in WRAPPERS and value.args:
            value = value.args[0]
        elif isinstance(value.func, ast.Attribute) and value.func.attr in KEEPING:
            value = value.func.value
        else:
            return ""
    return dotted(value)


def _reads(name: str, function: Function, file: FileView) -> Iterator[Use]:
    _, dot, attribute = name.partition(".")
    if not dot:
        for node in scan(function, {ast.Name}, NESTED_SCOPES):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                yield node, function
        return
    table = file.once(class_table)
    owner = table.owner(function)
    reads = table.family(owner).reads(attribute) if owner is not None else []
    heirs = [table.members(heir) for heir in table.subclasses(owner)] if owner is not None else []
    for use in [*reads, *(use for heir in heirs for use in heir.read.get(attribute, ()))]:
        if use.method.name != "__init__":
            yield use.node, use.method


def _is_query(node: ast.expr, file: FileView) -> bool:
    """Return whether an expression is read for its size, or compared with None, and not applied."""
    above = file.parent(node)
    if isinstance(above, ast.Attribute):
        return above.attr in SIZES
    if isinstance(above, (ast.If, ast.IfExp, ast.BoolOp)):
        return not (isinstance(above, ast.IfExp) and node is not above.test)
    return isinstance(above, ast.Compare) and isinstance(above.ops[0], (ast.Is, ast.IsNot))


def is_cut(node: ast.expr, file: FileView) -> bool:
    """Return whether an expression takes a slice of a mask, perhaps after methods such as `.to()`."""
    above = _subscript_of(node, file)
    return above is not None and _has_bound(above.slice)


def is_picked(node: ast.expr, file: FileView) -> bool:
    """Return whether an expression takes rows of a mask: of a position, by an index or by `narrow`.

    The keys of such rows may be a whole cache.
    """
    above = file.parent(node)
    call = file.parent(above) if isinstance(above, ast.Attribute) else None
    if isinstance(above, ast.Attribute) and isinstance(call, ast.Call) and call.func is above:
        if above.attr in PICKING:
            return True
    elif (
        isinstance(above, ast.Call) and node in above.args and terminal_name(above.func) in PICKING
    ):
        return True
    subscript = _subscript_of(node, file)
    return subscript is not None and any(map(_is_index, _parts_of(subscript.slice)))


def _subscript_of(node: ast.expr, file: FileView) -> ast.Subscript | None:
    """Return the subscript of an expression, perhaps after methods such as `.to()`."""
    above = file.parent(node)
    while isinstance(above, (ast.Attribute, ast.Call)):
        if isinstance(above, ast.Call) and above.func is not node:
            return None
        node, above = above, file.parent(above)
    return above if isinstance(above, ast.Subscript) and above.value is node else None


def _is_index(part: ast.expr) -> bool:
    """Return whether a part of a subscript picks positions of an axis."""
    return not isinstance(part, (ast.Slice, ast.Constant)) or type(_constant(part)) is int


def _constant(part: ast.expr) -> object:
    return part.value if isinstance(part, ast.Constant) else None


def _parts_of(index: ast.expr) -> Sequence[ast.expr]:
    return index.elts if isinstance(index, ast.Tuple) else [index]


def _has_bound(index: ast.expr) -> bool:
    parts = _parts_of(index)
    return any(isinstance(part, ast.Slice) and (part.upper or part.lower) for part in parts)
