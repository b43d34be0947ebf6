"""The values that an annotation allows: `Optional[list[Block]]` is a container of objects of class Block."""

from __future__ import annotations

import ast
from collections.abc import Callable

from esper_audit.source.facts.access_path import AccessPath
from esper_audit.source.facts.annotation_text import parsed_annotation
from esper_audit.source.facts.extraction.expression_paths import path_of
from esper_audit.source.index.values.value import ANYTHING, NOTHING, UNKNOWN, Value, Values, only

Lookup = Callable[[AccessPath], Values]
ALTERNATIVES = frozenset({"Optional", "Union"})
WRAPPERS = frozenset({"Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly"})
MAPPINGS = frozenset(
    {"dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict", "DefaultDict"}
    | {"ItemsView", "Counter", "MappingProxyType"}
)
CONTAINERS = frozenset(
    {"list", "List", "set", "Set", "frozenset", "FrozenSet", "Sequence", "MutableSequence"}
    | {"Iterable", "Iterator", "Collection", "Generator", "AsyncIterator", "AsyncIterable", "deque"}
    | {
        "Deque",
        "AbstractSet",
        "MutableSet",
        "KeysView",
        "ValuesView",
        "Reversible",
        "AsyncGenerator",
    }
    | {"ContextManager", "AbstractContextManager", "AsyncContextManager"}
)
TUPLES = frozenset({"tuple", "Tuple"})
LAST_OF = frozenset({"Awaitable", "Coroutine"})
UNTYPED = frozenset({"typing.Any", "builtins.object", "typing_extensions.Any"})


def annotated_values(text: str, lookup: Lookup, itself: Values) -> Values:
    """Return the values of an annotation. `lookup` resolves the names in it, `itself` is that of `Self`."""
    node = parsed_annotation(text) if text else None
    return _AnnotationResolver(lookup, itself).values(node) if node is not None else ANYTHING


class _AnnotationResolver:
    def __init__(self, lookup: Lookup, itself: Values) -> None:
        self._lookup = lookup
        self._itself = itself

    def values(self, node: ast.expr) -> Values:
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.BinOp):
            return self.values(node.left) | self.values(node.right)
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._name(path_of(node))
        return ANYTHING

    def _constant(self, node: ast.Constant) -> Values:
        if node.value is None:
            return NOTHING
        inner = parsed_annotation(node.value) if isinstance(node.value, str) else None
        return self.values(inner) if inner is not None else ANYTHING

    def _name(self, path: AccessPath) -> Values:
        if path.terminal == "Self":
            return self._itself
        found: set[Value] = set()
        for value in self._lookup(path):
            if value.kind == "class":
                found.add(Value("instance", value.name))
            elif value.kind == "external" and value.name not in UNTYPED:
                found.add(Value("object", value.name))
            else:
                found.add(UNKNOWN)
        return frozenset(found)

    def _subscript(self, node: ast.Subscript) -> Values:
        path = path_of(node.value)
        last = path.terminal
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if last in ALTERNATIVES:
            return NOTHING.union(*(self.values(part) for part in inside))
        if last in WRAPPERS:
            return self.values(inside[0])
        if last in LAST_OF:
            return self.values(inside[-1])
        if last in ("type", "Type"):
            return frozenset(map(_class_of, self.values(inside[0])))
        if last == "Callable":
            return only(Value("returns", parts=(self.values(inside[-1]),)))
        if last in TUPLES:
            return only(self._tuple(inside))
        if last in MAPPINGS and len(inside) == 2:
            key_and_value = (self.values(inside[0]), self.values(inside[1]))
            return only(Value("mapping", parts=key_and_value))
        if last in CONTAINERS:
            return only(Value("container", parts=(self.values(inside[0]),)))
        return self._name(path)

    def _tuple(self, inside: list[ast.expr]) -> Value:
        if len(inside) == 2 and isinstance(inside[1], ast.Constant) and inside[1].value is ...:
            return Value("container", parts=(self.values(inside[0]),))
        return Value("tuple", parts=tuple(self.values(part) for part in inside))


def _class_of(value: Value) -> Value:
    if value.kind == "instance":
        return Value("class", value.name)
    return Value("external", value.name) if value.kind == "object" else UNKNOWN
