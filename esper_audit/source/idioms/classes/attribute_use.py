"""The places where the methods of a class bind and read the attributes of their object."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import msgspec

from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters
from esper_audit.source.syntax.placed_nodes import PlacedNodes

# The methods of `torch.nn.Module` that bind an attribute by name, and the position of its value.
REGISTERING = frozenset(
    {"register_buffer", "register_parameter", "register_module", "add_module", "__setattr__"}
)
BINDING = (
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith,
)  # fmt: skip
UNBOUND = frozenset({"staticmethod"})


class AttributeUse(msgspec.Struct, frozen=True, eq=False):
    """One place where a method binds or reads an attribute of its object.

    `node` is the attribute, or the call of `register_buffer`, `setattr` and the like. `value` is what
    a binding assigns, None where that is a part of something (an unpacked tuple, a loop, `+=`).
    """

    name: str
    node: ast.Attribute | ast.Call
    method: Function
    value: ast.expr | None = None


def own_name(method: Function) -> str:
    """Return the name that a method of a class has for its object, empty for a static method."""
    names = {dotted(decorator) for decorator in method.decorator_list}
    taken = parameters(method.args)
    return taken[0].arg if taken and names.isdisjoint(UNBOUND) else ""


def assigned_attribute(node: ast.AST) -> ast.Attribute | None:
    """Return the attribute of a name to which a statement assigns a value of its own, None for other statements."""
    target: ast.expr | None = None
    if isinstance(node, ast.Assign):
        target = node.targets[0] if len(node.targets) == 1 else None
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        target = node.target
    if isinstance(target, ast.Attribute) and target.value.__class__ is ast.Name:
        return target
    return None


class AttributePlaces:
    """Where a file reads and binds attributes of names, whichever method of which class does."""

    def __init__(self, file: FileView) -> None:
        named = [a for a in file.nodes(ast.Attribute) if a.value.__class__ is ast.Name]
        changed = [step.target for step in file.nodes(ast.AugAssign)]
        read = [attribute for attribute in named if attribute.ctx.__class__ is ast.Load]
        read += [target for target in changed if isinstance(target, ast.Attribute)]
        self._read = PlacedNodes(read)
        statements = [node for kind in BINDING for node in file.nodes(kind)]
        binding: list[ast.AST] = [node for node in statements if _binds_attribute(node)]
        binding += [call for call in file.calls("setattr", *REGISTERING) if _may_bind(call.func)]
        self._binding = PlacedNodes(binding)

    def read(self, method: Function) -> Iterator[AttributeUse]:
        """Yield each read of an attribute of the method's object, `self.x += 1` included."""
        me = own_name(method)
        found = (node for node in self._read.inside(method) if is_own(node, me))
        return (AttributeUse(node.attr, node, method) for node in found)

    def bound(self, method: Function) -> Iterator[AttributeUse]:
        """Yield each binding of an attribute of the method's object."""
        return _bound_by(self._binding.inside(method), method)


def _binds_attribute(node: ast.AST) -> bool:
    """Return whether a statement binds an attribute."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        kind = node.targets[0].__class__
        if kind is ast.Name or kind is ast.Attribute:
            return kind is ast.Attribute
    return any(
        part.__class__ is ast.Attribute for target, _ in _targets(node) for part in _parts(target)
    )


def _may_bind(function: ast.expr) -> bool:
    """Return whether a called function may bind an attribute that is an argument."""
    if isinstance(function, ast.Attribute):
        return function.attr in REGISTERING
    return isinstance(function, ast.Name) and function.id == "setattr"


def _bound_by(nodes: Iterable[ast.AST], method: Function) -> Iterator[AttributeUse]:
    me = own_name(method)
    for node in nodes:
        if isinstance(node, ast.Call):
            yield from _bound_by_call(node, me, method)
        else:
            for target, value in _targets(node):
                yield from _bound_by_target(target, value, method)


def is_own(node: ast.Attribute, own: str) -> bool:
    """Return whether an attribute is one of the object that a method names `own`."""
    return isinstance(node.value, ast.Name) and node.value.id == own != ""


def _bound_by_target(
    target: ast.expr, value: ast.expr | None, method: Function
) -> Iterator[AttributeUse]:
    for part in _parts(target):
        if isinstance(part, ast.Attribute) and is_own(part, own_name(method)):
            yield AttributeUse(part.attr, part, method, value if part is target else None)


def _bound_by_call(call: ast.Call, me: str, method: Function) -> Iterator[AttributeUse]:
    """Yield the binding of `self.register_buffer("name", value)` or `setattr(self, "name", value)`."""
    function, arguments = call.func, list(call.args)
    arguments += [k.value for k in call.keywords if k.arg in ("name", "tensor", "param", "module")]
    if isinstance(function, ast.Attribute) and function.attr in REGISTERING:
        if not is_own(function, me) and ast.unparse(function.value) != "super()":
            return
    elif dotted(function) == "setattr" and arguments and dotted(arguments[0]) == me:
        arguments = arguments[1:]
    else:
        return
    name = arguments[0] if arguments else None
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        value = arguments[1] if len(arguments) > 1 else None
        yield AttributeUse(name.value, call, method, value)


def _targets(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Yield what a statement binds, each with the whole value where there is one."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _paired(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
        yield node.target, node.value
    elif isinstance(node, (ast.AugAssign, ast.For, ast.AsyncFor)):
        yield node.target, None
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        yield from ((i.optional_vars, None) for i in node.items if i.optional_vars is not None)


def _paired(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Yield the pairs of `a, b = x, y`, else the target with its value."""
    parts = target.elts if isinstance(target, ast.Tuple) else []
    values = value.elts if isinstance(value, ast.Tuple) else []
    if parts and len(parts) == len(values):
        yield from zip(parts, values, strict=True)
    else:
        yield target, value


def _parts(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            yield from _parts(part)
    else:
        yield target.value if isinstance(target, ast.Starred) else target
