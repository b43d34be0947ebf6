"""Which constant keys a function reads from the dict that it is given, or loads itself."""

from __future__ import annotations

import ast
from typing import NamedTuple

from esper_audit.source.idioms.state.state_keys_written import LOOKS, calls_one_of
from esper_audit.source.syntax.ast_walk import children, scan, walk
from esper_audit.source.syntax.names import Function, dotted

LOADS = frozenset({"load", "loads", "safe_load", "load_file"})
COPIES = frozenset({"dict", "copy", "deepcopy", "OrderedDict"})


class KeyRead(NamedTuple):
    """The keys that are read: they must be there, or a default stands in.

    `handled` are those whose absence the code handles; `is_whole` where the dict goes on as a whole.
    """

    required: frozenset[str]
    optional: frozenset[str]
    handled: frozenset[str]
    is_whole: bool

    @property
    def keys(self) -> frozenset[str]:
        """All of them."""
        return self.required | self.optional | self.handled


def read_keys(function: Function) -> KeyRead | None:
    """Return the keys that a function reads from what it is given or loads; None if it reads none."""
    names = _loaded(function) or _given(function)
    uses = _Uses(function, names)
    required, optional = frozenset(uses.required), frozenset(uses.optional)
    read = KeyRead(required, optional, frozenset(uses.handled), uses.is_whole)
    return read if read.keys else None


def keys_used(node: ast.AST, context: type[ast.expr_context]) -> list[ast.expr | None]:
    """Return what a node reads from some dict (context `Load`), or writes into one (`Store`)."""
    reads = context is ast.Load
    if isinstance(node, ast.Subscript):
        return [node.slice] if isinstance(node.ctx, context) else []
    if isinstance(node, ast.Dict):
        return [] if reads else [*node.keys]
    if isinstance(node, ast.Compare):
        return [node.left] if reads else []
    is_get = isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in ("get", "pop")
    return [*node.args[:1]] if reads and is_get and isinstance(node, ast.Call) else []


class _Uses:
    """How a function uses a dict, by all the names it goes by."""

    def __init__(self, function: Function, names: set[str]) -> None:
        self.required: set[str] = set()
        self.optional: set[str] = set()
        self.handled: set[str] = set()
        self.is_whole = False
        self._tested = _tested(function)
        parents = {child: node for node in walk(function) for child in children(node)}
        names = names | _aliases(function, names)
        for node in walk(function):
            if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
                self._note(node, parents[node], parents)

    def _note(self, name: ast.Name, parent: ast.AST, parents: dict[ast.AST, ast.AST]) -> None:
        if isinstance(parent, ast.Subscript) and parent.value is name:
            keys = self.handled if isinstance(parent.ctx, ast.Store) else self.required
            self._add(keys, parent.slice)
        elif isinstance(parent, ast.Attribute):
            call = parents[parent]
            self._call(parent, call, parents.get(call))
        elif isinstance(parent, ast.Compare) and parent.left is not name:
            self._add(self.handled, parent.left)
        elif not _only_looks(parent, parents):
            self.is_whole = True

    def _call(self, method: ast.Attribute, call: ast.AST, use: ast.AST | None) -> None:
        if not isinstance(call, ast.Call) or method.attr not in ("get", "pop", "setdefault"):
            self.is_whole = self.is_whole or method.attr != "copy"
        elif method.attr == "setdefault":
            self._add(self.handled, call.args[0])
        elif call.args:
            requires = method.attr == "pop" and len(call.args) == 1 and not call.keywords
            missing = self.handled if self._is_tested(use) else self.optional
            self._add(self.required if requires else missing, call.args[0])

    def _is_tested(self, use: ast.AST | None) -> bool:
        """Return whether what was got has a name of which an `if` asks whether it is there."""
        targets = use.targets if isinstance(use, ast.Assign) else []
        return any(isinstance(target, ast.Name) and target.id in self._tested for target in targets)

    def _add(self, keys: set[str], key: ast.expr) -> None:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            keys.add(key.value)
        else:
            self.is_whole = True


def _only_looks(parent: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return whether a use of the dict asks about it as a whole and reads no key, or gives it a name."""
    if isinstance(parent, ast.Call):
        copies = calls_one_of(parent, COPIES) and _names_it(parents[parent])
        return copies or dotted(parent.func) in LOOKS
    if isinstance(parent, ast.Assign):
        return _names_it(parent)
    return isinstance(parent, (ast.Compare, ast.If, ast.UnaryOp, ast.BoolOp, ast.Assert))


def _names_it(node: ast.AST) -> bool:
    """Return whether a statement gives what it has a name, and does not store it anywhere."""
    return isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets)


def _tested(function: Function) -> set[str]:
    """Return the names of which some `if` asks whether they are there."""
    tests = [node.test for node in walk(function) if isinstance(node, ast.If)]
    asked = [test.left if isinstance(test, ast.Compare) else test for test in tests]
    asked = [test.operand if isinstance(test, ast.UnaryOp) else test for test in asked]
    return {name.id for name in asked if isinstance(name, ast.Name)}


def _aliases(function: Function, names: set[str]) -> set[str]:
    found: set[str] = set()
    for node in scan(function, {ast.Assign}):
        value = node.value if isinstance(node, ast.Assign) else None
        if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in COPIES:
            owner = value.func.value if isinstance(value.func, ast.Attribute) else None
            value = value.args[0] if value.args else owner
        if isinstance(node, ast.Assign) and isinstance(value, ast.Name) and value.id in names:
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _given(function: Function) -> set[str]:
    """Return the name of the first argument."""
    arguments = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return set([name for name in arguments if name not in ("self", "cls")][:1])


def _loaded(function: Function) -> set[str]:
    """Return the names of what a function loads itself."""
    return {
        target.id
        for node in scan(function, {ast.Assign})
        if isinstance(node, ast.Assign) and calls_one_of(node.value, LOADS)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
