"""Objects that can change: which expressions make one, and what changes or keeps the one of a name."""

from __future__ import annotations

import ast
from collections.abc import Callable

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import Function, dotted, terminal_name

DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
CONTAINERS = frozenset(
    {"list", "dict", "set", "bytearray", "defaultdict", "OrderedDict", "deque", "Counter"}
)
CHANGING_METHODS = frozenset(
    {"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update"}
    | {"setdefault", "popitem", "add", "discard", "appendleft", "popleft"}
)
REMOVING_METHODS = frozenset(
    {"remove", "pop", "clear", "popitem", "discard", "popleft", "sort", "reverse"}
)
STATEFUL_LAYERS = (
    *("PReLU", "Linear", "Bilinear", "Conv", "BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm"),
    *("Embedding", "LSTM", "GRU", "RNN", "MultiheadAttention", "Transformer", "Parameter"),
    *("InstanceNorm", "SyncBatchNorm", "LazyLinear", "LazyConv"),
)
NODES = frozenset(
    {ast.Call, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.Compare, ast.Try}
)
CLOSED = frozenset({ast.ClassDef})


def is_mutable(default: ast.expr) -> bool:
    """Return whether an expression makes an object that may change: a display or a call."""
    return isinstance(default, (*DISPLAYS, ast.Call))


def is_empty_container(default: ast.expr) -> bool:
    """Return whether an expression makes a list, a dict or a set without entries."""
    if isinstance(default, ast.Call):
        return terminal_name(default.func) in CONTAINERS and not (default.args or default.keywords)
    if isinstance(default, ast.Dict):
        return not default.keys
    return isinstance(default, (ast.List, ast.Set)) and not default.elts


def is_stateful_layer(default: ast.expr, resolve: Callable[[ast.expr], str | None]) -> bool:
    """Return whether an expression makes a layer of torch with parameters."""
    target = (resolve(default.func) or "") if isinstance(default, ast.Call) else ""
    return target.startswith("torch.nn.") and target.rpartition(".")[2].startswith(STATEFUL_LAYERS)


def changes_of(function: Function, name: str, has_memo: bool = True) -> list[ast.stmt | ast.expr]:
    """Return what changes the object of a name or attribute, empty where it is bound anew or a memo.

    Without `has_memo` an entry that is looked up before it is written counts as a change.
    """
    changes: list[ast.stmt | ast.expr] = []
    for node in scan(function, NODES, CLOSED):
        if has_memo and _is_lookup(node, name):
            return []
        if _binds(node, name) or not _changes(node, name):
            continue
        if isinstance(node, (ast.stmt, ast.expr)):
            changes.append(node)
    changes.sort(key=lambda node: node.lineno)
    return (
        []
        if "." not in name and changes and _is_bound_above(changes[0], function, name)
        else changes
    )


def is_removal(change: ast.stmt | ast.expr) -> bool:
    """Return whether a change takes something out, which leaves what is empty as it is."""
    if isinstance(change, ast.Delete):
        return True
    called = change.func if isinstance(change, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in REMOVING_METHODS


def _is_bound_above(change: ast.stmt | ast.expr, function: Function, name: str) -> bool:
    bound = scan(function, {ast.Assign, ast.AnnAssign, ast.For}, CLOSED)
    lines = [n.lineno for n in bound if isinstance(n, ast.stmt) and _binds(n, name)]
    return any(line <= change.lineno for line in lines)


def stores_of(function: Function, name: str) -> list[ast.Attribute]:
    """Return the attributes to which a function assigns a parameter as it is."""
    found: list[ast.Attribute] = []
    for node in scan(function, {ast.Assign, ast.AnnAssign}, CLOSED):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        if _binds(node, name):
            return []
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is not None and dotted(node.value) == name:
            found += [t for t in targets if isinstance(t, ast.Attribute) and dotted(t)]
    return found


def _changes(node: ast.AST, name: str) -> bool:
    """Return whether a node changes the object of a name in place."""
    if isinstance(node, ast.Call):
        function = node.func
        if not isinstance(function, ast.Attribute) or function.attr not in CHANGING_METHODS:
            return False
        return dotted(function.value) == name
    if isinstance(node, ast.AugAssign):
        return name in (dotted(node.target), _item_owner(node.target))
    if isinstance(node, (ast.Assign, ast.Delete)):
        return any(_item_owner(target) == name for target in node.targets)
    return False


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Assign):
        return any(dotted(target) == name for target in node.targets)
    return isinstance(node, (ast.AnnAssign, ast.For)) and dotted(node.target) == name


def _is_lookup(node: ast.AST, name: str) -> bool:
    """Return whether a node tests whether an object has a key, as a memo does."""
    if isinstance(node, ast.Try):
        caught = {dotted(handler.type) for handler in node.handlers if handler.type is not None}
        items = [part for inner in node.body for part in scan(inner, {ast.Subscript})]
        return "KeyError" in caught and any(
            isinstance(item, ast.Subscript) and dotted(item.value) == name for item in items
        )
    if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], (ast.In, ast.NotIn)):
        return False
    return dotted(node.comparators[0]) == name


def _item_owner(target: ast.expr) -> str:
    """Return the name of the object of which a target is an item."""
    while isinstance(target, ast.Subscript):
        target = target.value
        if dotted(target):
            return dotted(target)
    return ""
