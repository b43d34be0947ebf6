"""The fallback of an omitted argument, and whether the argument is tensor data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.ast_walk import walk as walk_ast
from esper_audit.source.syntax.names import Function, Names, defaults, dotted, parameters

DATA_METHODS = frozenset({"forward", "__call__", "call", "training_step", "validation_step"})
TENSOR_TYPES = ("Tensor", "ndarray", "Array")
TENSOR_ATTRIBUTES = frozenset(
    {"shape", "size", "ndim", "dim", "view", "reshape", "detach", "transpose", "permute", "flatten"}
    | {"unsqueeze", "squeeze", "expand", "requires_grad", "mean", "sum", "sigmoid", "tanh", "chunk"}
)
TENSOR_MODULES = ("torch.", "numpy.", "einops.", "jax.")
SIZE_FUNCTIONS = frozenset(
    {"arange", "empty", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "zeros"}
    | {"tril_indices", "triu_indices", "as_tensor", "tensor"}
)
COPIES = frozenset({"detach", "clone", "contiguous"})
REPLACING = frozenset(
    {ast.If, ast.IfExp, ast.Assign, ast.AnnAssign, ast.Return, ast.keyword, ast.Call}
)
CLOSED = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda})
RELATION_SIDES = (
    *({"i", "j"}, {"a", "b"}, {"x", "y"}, {"q", "k"}, {"left", "right"}, {"first", "second"}),
    *({"1", "2"}, {"0", "1"}, {"source", "target"}, {"src", "tgt"}, {"src", "dst"}),
    *({"input", "output"}, {"inputs", "outputs"}),
)


def parameters_defaulting_to_none(arguments: ast.arguments) -> Iterator[str]:
    """Yield the parameters whose default is None."""
    yield from (name for name, default in defaults(arguments).items() if is_none(default))


def fallback_pairs(function: Function) -> Iterator[tuple[str, str]]:
    """Yield each (parameter, fallback name) of a body, without nested functions."""
    for node in scan(function, REPLACING, CLOSED):
        if isinstance(node, ast.If):
            yield from _pairs_of_if(node)
        elif isinstance(node, ast.IfExp):
            yield from _pairs_of_conditional(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return, ast.keyword)):
            yield from _pairs_of_or(node.value)
        elif isinstance(node, ast.Call):
            yield from _pairs_of_call(node)


def is_none(node: ast.expr) -> bool:
    """Return whether a node is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


def is_tensor_parameter(
    function: Function, pair: tuple[str, str], names: Names, scopes: Sequence[Function]
) -> bool:
    """Return whether the first of two parameters is tensor data, by annotation or else by use."""
    annotations = {p.arg: p.annotation for p in parameters(function.args)}
    optional, fallback = (annotations[name] for name in pair)
    if optional is not None:
        return _is_tensor_annotation(optional)
    if fallback is not None:
        return _is_tensor_annotation(fallback)
    return function.name in DATA_METHODS or any(
        _is_tensor_use(node, pair[0], names, scopes) or _is_detach_of(node, pair[1])
        for node in walk_ast(function)
    )


def is_relation_pair(first: str, second: str) -> bool:
    """Return whether two names are the two sides of a relation, such as `pos_i` and `pos_j`."""
    if first.removeprefix("new_") == second:
        return True
    parts = [re.findall(r"[a-z]+|\d+", name.lower()) for name in (first, second)]
    differing = [set(pair) for pair in zip(*parts, strict=False) if pair[0] != pair[1]]
    return len(parts[0]) == len(parts[1]) and len(differing) == 1 and differing[0] in RELATION_SIDES


def _pairs_of_if(node: ast.If) -> Iterator[tuple[str, str]]:
    """Yield the pairs of `if name is None: name = other`."""
    name, missing = _none_test(node.test)
    branch = node.body if missing else node.orelse
    assignments = (statement for statement in branch if isinstance(statement, ast.Assign))
    for target, value in (pair for statement in assignments for pair in _assigned(statement)):
        if target == name:
            yield name, _name_of(value)


def _pairs_of_conditional(node: ast.IfExp) -> Iterator[tuple[str, str]]:
    """Yield the pair of `other if name is None else f(name)` where `f(name)` does not use `other`."""
    name, missing = _none_test(node.test)
    absent, present = (node.body, node.orelse) if missing else (node.orelse, node.body)
    used = {n.id for n in walk_ast(present) if isinstance(n, ast.Name)}
    if name in used and _name_of(absent) not in used:
        yield name, _name_of(absent)


def _pairs_of_call(node: ast.Call) -> Iterator[tuple[str, str]]:
    """Yield the pairs of `default(name, other)` and of arguments `name or other`."""
    if dotted(node.func).rpartition(".")[2] == "default" and len(node.args) == 2:
        yield _name_of(node.args[0]), _name_of(node.args[1])
    for argument in node.args:
        yield from _pairs_of_or(argument)


def _pairs_of_or(value: ast.expr | None) -> Iterator[tuple[str, str]]:
    """Yield the pair of `name or other`."""
    if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or) and len(value.values) == 2:
        first, second = value.values
        if isinstance(first, ast.Name):
            yield first.id, _name_of(second)


def _none_test(test: ast.expr) -> tuple[str, bool]:
    """Return the name that a test checks for None, and whether the test is true for None."""
    missing = False
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, missing = test.operand, not missing
    if isinstance(test, ast.Call) and dotted(test.func) == "exists" and len(test.args) == 1:
        return _name_of(test.args[0]), missing
    if isinstance(test, ast.Compare) and is_none(test.comparators[0]):
        holds_for_none = isinstance(test.ops[0], (ast.Is, ast.Eq))
        return _name_of(test.left), holds_for_none != missing
    return _name_of(test), missing


def _assigned(statement: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    pairs: list[tuple[ast.expr, ast.expr]] = []
    for target in statement.targets:
        if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
            pairs += zip(target.elts, statement.value.elts, strict=False)
        else:
            pairs.append((target, statement.value))
    yield from ((target.id, value) for target, value in pairs if isinstance(target, ast.Name))


def _name_of(value: ast.expr) -> str:
    """Return the name that a value is or is a detached, cloned or contiguous copy of."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr not in COPIES:
            return ""
        value = value.func.value
    return value.id if isinstance(value, ast.Name) else ""


def _is_tensor_annotation(annotation: ast.expr) -> bool:
    code = ast.unparse(annotation)
    return any(name in code for name in TENSOR_TYPES)


def _is_tensor_use(node: ast.AST, name: str, names: Names, scopes: Sequence[Function]) -> bool:
    """Return whether a node reads a tensor attribute of a name or passes it to a tensor function."""
    if isinstance(node, ast.Attribute):
        return dotted(node.value) == name and node.attr in TENSOR_ATTRIBUTES
    if isinstance(node, ast.Call) and any(dotted(argument) == name for argument in node.args):
        function = names.resolve(dotted(node.func), scopes) or ""
        last = function.rpartition(".")[2]
        return function.startswith(TENSOR_MODULES) and last.islower() and last not in SIZE_FUNCTIONS
    return False


def _is_detach_of(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "detach" and dotted(node.value) == name
