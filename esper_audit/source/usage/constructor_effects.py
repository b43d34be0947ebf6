"""The effects of a constructor call besides the object that it makes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.source.facts.access_path import AccessPath, PathKind, StepKind
from esper_audit.source.facts.extraction.expression_paths import path_of
from esper_audit.source.index.values.value import Value, parts
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import Function, parameters
from esper_audit.source.usage.instantiations import is_neural
from esper_audit.source.usage.tree import Tree

CONSTRUCTION_METHODS = ("__new__", "__init__", "__post_init__", "__attrs_post_init__")
# The constructors of these bases have no effects.
QUIET_BASES = frozenset(
    {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "typing.NamedTuple"}
    | {"typing_extensions.Protocol", "torch.utils.data.Dataset", "torch.utils.data.IterableDataset"}
    | {"builtins.Exception", "builtins.ValueError", "builtins.TypeError", "builtins.RuntimeError"}
    | {"builtins.KeyError", "builtins.NotImplementedError"}
)
PURE_BUILTINS = frozenset(
    {"list", "dict", "set", "tuple", "frozenset", "int", "float", "str", "bool", "bytes", "len"}
    | {
        "min",
        "max",
        "sum",
        "abs",
        "round",
        "range",
        "enumerate",
        "zip",
        "sorted",
        "reversed",
        "any",
    }
    | {"isinstance", "issubclass", "getattr", "hasattr", "super", "type", "repr", "all", "callable"}
    | {"pow", "divmod", "id", "hash", "slice", "object", "property"}
)
PURE_OUTSIDE = re.compile(
    r"collections\.(deque|defaultdict|Counter|OrderedDict)|(math|itertools|numpy|fractions)\.\w+"
    r"|threading\.(Lock|RLock|Event)|functools\.partial|copy\.(deepcopy|copy)|time\.\w*time\w*"
    r"|torch\.(tensor|zeros|ones|full|empty|eye|arange|linspace|as_tensor|device|finfo|Size|Generator)"
    r"|torch\.(zeros_like|ones_like|cat|stack|logspace|tril|triu|from_numpy)"
)
LEAVES_FUNCTION = (
    ast.Global,
    ast.Nonlocal,
    ast.With,
    ast.AsyncWith,
    ast.Await,
    ast.Yield,
    ast.YieldFrom,
)
CHANGES_WORLD = re.compile(r"hook|atexit|signal|register_(?!buffer|parameter|module)|set_default")


class ConstructorEffects:
    """Determines whether a constructor call has effects besides the object."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._hierarchy = tree.index.resolver.hierarchy
        self._effect_free: dict[Value, bool] = {}
        self._in_progress: set[Value] = set()

    def is_module(self, value: Value) -> bool:
        """Return whether a class's bases outside the tree are modules (or parameters) of torch alone."""
        if value.kind == "external":
            return is_neural(value.name)
        foreign = self._hierarchy.foreign_bases(value.name) - QUIET_BASES
        return bool(foreign) and all(map(is_neural, foreign))

    def is_effect_free(self, value: Value) -> bool:
        """Return whether a constructor call has no effects besides the object."""
        if value in self._effect_free or value in self._in_progress:
            # Of classes that make each other, the one in progress adds no effect of its own here.
            return self._effect_free.get(value, True)
        self._in_progress.add(value)
        is_effect_free = self._has_no_effects(value)
        self._in_progress.discard(value)
        # A result inside another query may depend on that one, and is not cached.
        if not self._in_progress:
            self._effect_free[value] = is_effect_free
        return is_effect_free

    def _has_no_effects(self, value: Value) -> bool:
        if value.kind == "external":
            return True
        order = self._hierarchy.order(value.name)
        is_module = self.is_module(value)
        if not is_module and self._hierarchy.foreign_bases(value.name) - QUIET_BASES:
            return False
        if any(map(self._has_custom_lifecycle, order)):
            return False
        return all(
            _is_contained(body) if is_module else self._only_fills(owner, body)
            for owner, body in self._bodies(order)
        )

    def may_raise(self, value: Value) -> bool:
        """Return whether a constructor call may raise, so that it may be made to check its arguments."""
        if value.kind == "external":
            return False
        bodies = self._bodies(self._hierarchy.order(value.name))
        return any(isinstance(n, (ast.Raise, ast.Assert)) for _, body in bodies for n in walk(body))

    def _has_custom_lifecycle(self, of: str) -> bool:
        """Return whether a metaclass, a decorator or a finaliser takes part in the life of a class's objects."""
        definition = self._tree.index.definition(self._tree.index.of_key(of))
        decorators = {d.before(StepKind.CALL).terminal for d in definition.decorators}
        return (
            bool(definition.keywords)
            or bool(decorators - {"dataclass", "final", "total_ordering"})
            or self._hierarchy.has(of, "__del__")
        )

    def _bodies(self, order: list[str]) -> Iterator[tuple[str, Function]]:
        for owner in order:
            for name in CONSTRUCTION_METHODS:
                if self._hierarchy.has(owner, name):
                    yield from self._body(owner, name)

    def _body(self, owner: str, name: str) -> Iterator[tuple[str, Function]]:
        where, around = parts(owner)
        symbol = self._tree.index.symbol(where, f"{around}.{name}")
        function = self._tree.function(symbol) if symbol is not None else None
        if function is not None:
            yield owner, function

    def _only_fills(self, owner: str, body: Function, depth: int = 3) -> bool:
        """Return whether a function only sets attributes of its object, to results of pure calls."""
        if not _is_contained(body):
            return False
        given = {parameter.arg for parameter in parameters(body.args)} - {"self", "cls"}
        if any(_mutates_argument(node, given) for node in walk(body)):
            return False
        calls = (node for node in walk(body) if isinstance(node, ast.Call))
        return all(self._is_pure(owner, call, depth) for call in calls)

    def _is_pure(self, owner: str, call: ast.Call, depth: int) -> bool:
        module = self._tree.index.store.module(parts(owner)[0])
        assert module is not None
        path = path_of(call.func)
        if _is_super(path) or path.variable in PURE_BUILTINS:
            return True
        if path.root == "self" and path.depth == 1 and depth:
            name = path.terminal if len(path.steps) == 1 else ""
            method = self._hierarchy.member(owner, name)
            bodies = list(self._body(method, name)) if method else []
            return bool(bodies) and all(self._only_fills(at, b, depth - 1) for at, b in bodies)
        values = self._tree.index.resolver.values(module, module.innermost(call.lineno), path)
        return bool(values) and all(map(self._is_pure_value, values))

    def _is_pure_value(self, value: Value) -> bool:
        if value.kind == "external":
            return PURE_OUTSIDE.fullmatch(value.name) is not None or is_neural(value.name)
        return value.kind == "class" and self.is_effect_free(value)


def _is_contained(body: Function) -> bool:
    """Return whether a function keeps its object to itself, waits for nothing and registers nothing."""
    for node in walk(body):
        if isinstance(node, LEAVES_FUNCTION):
            return False
        if isinstance(node, ast.Call) and CHANGES_WORLD.search(path_of(node.func).terminal):
            return False
    return not any(_leaks_self(node) for node in walk(body))


def _leaks_self(node: ast.AST) -> bool:
    """Return whether `self` itself, not an attribute of it, is passed to a call or stored."""
    if isinstance(node, ast.Call):
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        path = path_of(node.func)
        is_question = path.variable in PURE_BUILTINS or _is_super(path)
        return not is_question and any(map(_is_self, given))
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return _is_self(node.value)
    return isinstance(node, (ast.List, ast.Tuple, ast.Dict)) and any(
        map(_is_self, node.values if isinstance(node, ast.Dict) else node.elts)
    )


def _is_super(path: AccessPath) -> bool:
    """Return whether a path starts at a call of `super`."""
    return path.kind is PathKind.SUPER or path.root == "super"


def _is_self(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _mutates_argument(node: ast.AST, given: set[str]) -> bool:
    """Return whether a statement changes an argument, or an attribute of an attribute."""
    if isinstance(node, (ast.Assign, ast.Delete)):
        targets = node.targets
    else:
        targets = [node.target] if isinstance(node, (ast.AnnAssign, ast.AugAssign)) else []
    paths = [path_of(t) for t in targets if isinstance(t, (ast.Attribute, ast.Subscript))]
    return any(path.root in given or path.depth > 1 for path in paths)
