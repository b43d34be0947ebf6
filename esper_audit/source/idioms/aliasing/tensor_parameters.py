"""Which parameters of a function are tensors, by annotation or else by use."""

from __future__ import annotations

import ast
import enum
import re

from esper_audit.source.idioms.aliasing.shared_storage import TENSOR_MODULES, Resolve
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import (
    Function,
    defaults,
    dotted,
    parameters,
    terminal_name,
    text_of,
)

CONTAINER_TYPE = re.compile(r"(?i)\b(dict|list|tuple|sequence|mapping|iterable|set)\b")
TENSOR_TYPE = re.compile(r"Tensor\b|ndarray|\bArray\b")
TENSOR_ATTRIBUTES = frozenset(
    {"shape", "size", "ndim", "dim", "view", "reshape", "detach", "transpose", "permute", "flatten"}
    | {"unsqueeze", "squeeze", "expand", "requires_grad", "mean", "sum", "sigmoid", "tanh", "chunk"}
    | {
        "dtype",
        "device",
        "numel",
        "new_zeros",
        "masked_fill",
        "to",
        "float",
        "softmax",
        "std",
        "mT",
    }
    | {"clone", "unbind", "unfold", "narrow", "diagonal", "movedim", "swapaxes", "argmax", "abs"}
)
WRITE_METHODS = frozenset(
    {
        "add_",
        "sub_",
        "mul_",
        "div_",
        "pow_",
        "neg_",
        "abs_",
        "exp_",
        "log_",
        "sqrt_",
        "clamp_",
        "clip_",
    }
    | {
        "masked_fill_",
        "fill_",
        "zero_",
        "copy_",
        "scatter_",
        "scatter_add_",
        "index_fill_",
        "lerp_",
    }
    | {"index_add_", "index_copy_", "addcmul_", "addcdiv_", "sigmoid_", "tanh_", "relu_", "normal_"}
    | {"uniform_", "squeeze_", "unsqueeze_", "transpose_", "t_", "bernoulli_", "masked_scatter_"}
)
# These take sizes and numbers.
SIZE_FUNCTIONS = frozenset(
    {"arange", "empty", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "zeros"}
    | {"tril_indices", "triu_indices", "as_tensor", "tensor", "array", "asarray", "is_tensor"}
)
NODES = frozenset({ast.Attribute, ast.AugAssign, ast.Call, ast.Subscript})


class ArgumentKind(enum.Enum):
    """What a parameter is given, as far as the function shows."""

    TENSOR = enum.auto()
    CONTAINER = enum.auto()
    UNKNOWN = enum.auto()
    OTHER = enum.auto()


def argument_kind(function: Function, name: str, alias: str, resolve: Resolve) -> ArgumentKind:
    """Return whether a parameter is a tensor or a container of tensors, by annotation or by use.

    `alias` is another name of it, whose uses count as well.
    """
    found = next(p for p in parameters(function.args) if p.arg == name)
    declared = _declared_kind(found, defaults(function.args).get(name))
    if declared is not ArgumentKind.UNKNOWN:
        return declared
    uses = scan(function, NODES)
    if any(_is_tensor_use(node, each, resolve) for each in (name, alias) for node in uses):
        return ArgumentKind.TENSOR
    steps = [
        node for node in uses if isinstance(node, ast.AugAssign) and dotted(node.target) == alias
    ]
    if any(_is_computed_step(step) for step in steps):
        return ArgumentKind.TENSOR
    return ArgumentKind.UNKNOWN


def possible_tensors(function: Function) -> list[str]:
    """Return the names of the parameters that neither annotation nor default keeps from being a tensor."""
    known = defaults(function.args)
    return [
        parameter.arg
        for parameter in parameters(function.args)
        if _declared_kind(parameter, known.get(parameter.arg)) is not ArgumentKind.OTHER
    ]


def _declared_kind(parameter: ast.arg, default: ast.expr | None) -> ArgumentKind:
    """Return what the annotation and the default of a parameter show about it."""
    if parameter.annotation is not None:
        annotation = text_of(parameter.annotation)
        if not TENSOR_TYPE.search(annotation) or "Any" in annotation:
            return ArgumentKind.OTHER
        is_container = CONTAINER_TYPE.search(annotation) is not None
        return ArgumentKind.CONTAINER if is_container else ArgumentKind.TENSOR
    is_none = isinstance(default, ast.Constant) and default.value is None
    return ArgumentKind.UNKNOWN if default is None or is_none else ArgumentKind.OTHER


def _is_computed_step(step: ast.AugAssign) -> bool:
    """Return whether a step adds or multiplies what a layer of the object computes."""
    calls = [call for call in scan(step.value, {ast.Call}) if isinstance(call, ast.Call)]
    return any(dotted(call.func).startswith("self.") and call.args for call in calls)


def _is_tensor_use(node: ast.AST, name: str, resolve: Resolve) -> bool:
    if isinstance(node, ast.Attribute):
        is_tensor = node.attr in TENSOR_ATTRIBUTES or node.attr in WRITE_METHODS
        return is_tensor and dotted(node.value) == name
    if isinstance(node, ast.Subscript):
        return dotted(node.value) == name and isinstance(node.slice, ast.Tuple)
    if not isinstance(node, ast.Call) or name not in {dotted(argument) for argument in node.args}:
        return False
    target = resolve(node.func) or ""
    last = terminal_name(node.func)
    return target.startswith(TENSOR_MODULES) and last.islower() and last not in SIZE_FUNCTIONS
