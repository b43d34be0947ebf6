"""The constant keys that a function reads from a dict that it receives or loads."""

from __future__ import annotations

import ast
from typing import NamedTuple

from esper_audit.source.idioms.state.state_keys_written import INSPECTIONS, is_call_of
from esper_audit.source.syntax.ast_walk import children, scan, walk
from esper_audit.source.syntax.names import Function, dotted

LOADERS = frozenset({"load", "loads", "safe_load", "load_file"})
COPIES = frozenset({"dict", "copy", "deepcopy", "OrderedDict"})


class KeyRead(NamedTuple):
    """The keys that a function reads: required, optional with a default, or with handled absence.

    `is_passed_on` is true if the function passes the dict on, so that other code may read any key.
    """

    required: frozenset[str]
    optional: frozenset[str]
    handled: frozenset[str]
    is_passed_on: bool

    @property
    def keys(self) -> frozenset[str]:
        """The required, optional and handled keys."""
        return self.required | self.optional | self.handled


def read_keys(function: Function) -> KeyRead | None:
    """Return the keys that a function reads from its argument or a loaded dict, or None."""
    names = _loaded_names(function) or _first_argument(function)
    uses = _DictUses(function, names)
    required, optional = frozenset(uses.required), frozenset(uses.optional)
    read = KeyRead(required, optional, frozenset(uses.handled), uses.is_passed_on)
    return read if read.keys else None


def keys_used(node: ast.AST, context: type[ast.expr_context]) -> list[ast.expr | None]:
    """Return the keys that a node reads from any dict (context `Load`) or writes to one (`Store`)."""
    reads = context is ast.Load
    if isinstance(node, ast.Subscript):
        return [node.slice] if isinstance(node.ctx, context) else []
    if isinstance(node, ast.Dict):
        return [] if reads else [*node.keys]
    if isinstance(node, ast.Compare):
        return [node.left] if reads else []
    is_get = isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in ("get", "pop")
    return [*node.args[:1]] if reads and is_get and isinstance(node, ast.Call) else []


class _DictUses:
    """The uses of a dict in a function, by all names of the dict."""

    def __init__(self, function: Function, names: set[str]) -> None:
        self.required: set[str] = set()
        self.optional: set[str] = set()
        self.handled: set[str] = set()
        self.is_passed_on = False
        self._tested = _tested_names(function)
        parents = {child: node for node in walk(function) for child in children(node)}
        names = names | _aliases(function, names)
        self._of_old_files = _read_without_a_key(function, names)
        for node in walk(function):
            if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
                self._record(node, parents[node], parents)

    def _record(self, name: ast.Name, parent: ast.AST, parents: dict[ast.AST, ast.AST]) -> None:
        if isinstance(parent, ast.Subscript) and parent.value is name:
            is_handled = isinstance(parent.ctx, ast.Store) or name in self._of_old_files
            is_handled |= _is_alternative(parent, parents.get(parent))
            keys = self.handled if is_handled else self.required
            self._add(keys, parent.slice)
        elif isinstance(parent, ast.Attribute):
            call = parents[parent]
            self._record_call(parent, call, parents.get(call))
        elif isinstance(parent, ast.Compare) and parent.left is not name:
            self._add(self.handled, parent.left)
        elif not _is_inspection(parent, parents):
            self.is_passed_on = True

    def _record_call(self, method: ast.Attribute, call: ast.AST, use: ast.AST | None) -> None:
        if not isinstance(call, ast.Call) or method.attr not in ("get", "pop", "setdefault"):
            self.is_passed_on = self.is_passed_on or method.attr != "copy"
        elif method.attr == "setdefault":
            self._add(self.handled, call.args[0])
        elif call.args:
            is_dropped = method.attr == "pop" and isinstance(use, ast.Expr)
            requires = method.attr == "pop" and len(call.args) == 1 and not call.keywords
            requires = requires and not is_dropped
            missing = self.handled if is_dropped or self._is_tested(use) else self.optional
            self._add(self.required if requires else missing, call.args[0])

    def _is_tested(self, use: ast.AST | None) -> bool:
        """Return whether the value is bound to a name that an `if` tests."""
        targets = use.targets if isinstance(use, ast.Assign) else []
        return any(isinstance(target, ast.Name) and target.id in self._tested for target in targets)

    def _add(self, keys: set[str], key: ast.expr) -> None:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            keys.add(key.value)
        else:
            self.is_passed_on = True


def _is_alternative(node: ast.AST, above: ast.AST | None) -> bool:
    """Return whether a value is read where another is absent: `state.get("a") or state["b"]`."""
    if isinstance(above, ast.BoolOp):
        return isinstance(above.op, ast.Or) and above.values[0] is not node
    return isinstance(above, ast.IfExp) and node in (above.body, above.orelse)


def _is_inspection(parent: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return whether a use of the dict reads no key: a test, an inspection or an assignment to a name."""
    if isinstance(parent, ast.Call):
        copies = is_call_of(parent, COPIES) and _is_plain_assignment(parents[parent])
        return copies or dotted(parent.func) in INSPECTIONS
    if isinstance(parent, ast.Assign):
        return _is_plain_assignment(parent)
    return isinstance(parent, (ast.Compare, ast.If, ast.UnaryOp, ast.BoolOp, ast.Assert))


def _is_plain_assignment(node: ast.AST) -> bool:
    """Return whether a statement assigns to plain names only."""
    return isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets)


def _tested_names(function: Function) -> set[str]:
    """Return the names that an `if` tests."""
    tests = [node.test for node in walk(function) if isinstance(node, ast.If)]
    tested = [test.left if isinstance(test, ast.Compare) else test for test in tests]
    tested = [test.operand if isinstance(test, ast.UnaryOp) else test for test in tested]
    return {name.id for name in tested if isinstance(name, ast.Name)}


def _read_without_a_key(function: Function, names: set[str]) -> set[ast.AST]:
    """Return what stands below `if key not in state`, which reads the files of an older saver."""
    return {
        node
        for branch in scan(function, {ast.If})
        if isinstance(branch, ast.If) and isinstance(branch.test, ast.Compare)
        if isinstance(branch.test.ops[0], ast.NotIn)
        if isinstance(state := branch.test.comparators[0], ast.Name) and state.id in names
        for statement in branch.body
        for node in walk(statement)
    }


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


def _first_argument(function: Function) -> set[str]:
    """Return the name of the first argument after `self` and `cls`, if any."""
    arguments = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return set([name for name in arguments if name not in ("self", "cls")][:1])


def _loaded_names(function: Function) -> set[str]:
    """Return the names that a function assigns a loaded object to."""
    return {
        target.id
        for node in scan(function, {ast.Assign})
        if isinstance(node, ast.Assign) and is_call_of(node.value, LOADERS)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
