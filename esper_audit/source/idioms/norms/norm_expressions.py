"""Expressions that are norms or parameter counts, with what they measure and the epsilon beside them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from esper_audit.source.idioms.norms.loop_bindings import PARAMETERS
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import dotted, is_constant, text_of

NORM_MODULES = re.compile(r"(^|\.)(torch|np|numpy|jnp|LA|linalg|la)$")
NUMPY = re.compile(r"^(np|numpy|LA|la|scipy|xp|jnp)\b")
NORM_FUNCTIONS = frozenset({"norm", "vector_norm", "matrix_norm"})
NORM_NAME = re.compile(r"(^|_)norms?(_(avg|ema|mean|value|val|sq|l2))?$", re.IGNORECASE)
COUNT_NAME = re.compile(r"(^|_)(params|parameters|param_count|parameter_count)$")
LIMIT_NAME = re.compile(r"(^|_)(max|min|clip|target|desired|limit|threshold|all|total|model)(_|$)")
EPSILON_NAME = re.compile(r"(^|_)(eps|epsilon|tiny)(_|\d|$)", re.IGNORECASE)
LARGEST_EPSILON = 1e-4  # from here on 1 / epsilon may be an intended bound
VALUE_PRESERVING = frozenset(
    {"item", "detach", "float", "double", "cpu", "to", "unsqueeze", "view", "reshape", "expand"}
    | {"expand_as", "clone", "squeeze", "type_as", "contiguous", "as_tensor", "asarray"}
)
DIVIDING = frozenset({"div", "div_", "divide", "true_divide"})
BOUNDING = re.compile(
    r"clamp|assert|^(min|max|minimum|maximum|clip_?|where|nan_to_num_?|isfinite|isnan|isinf|isclose|"
    r"tanh|sigmoid|errstate|divide_no_nan|log10)$",
    re.IGNORECASE,
)
CONSTRUCTORS = frozenset(
    {"__init__", "__new__", "__post_init__", "reset_parameters", "setup", "build"}
)
GEOMETRY = re.compile(
    r"geometr|camera|quaternion|rotat|pose|mesh|epipolar|homograph|angle|axis|axes|rays?(_|$)|crystal"
    r"|atom|molec|coordinate|hyperbolic|sphere",
    re.IGNORECASE,
)
FACTORIES = frozenset(
    {"ones", "eye", "linspace", "arange", "tensor", "full", "hann_window", "hamming_window"}
    | {"blackman_window", "kaiser_window", "bartlett_window"}
)

# What of a tensor is the same whatever its values are: a test of these guards no division.
KIND = frozenset(
    {
        "shape",
        "size",
        "dim",
        "ndim",
        "ndimension",
        "dtype",
        "device",
        "is_cuda",
        "is_sparse",
        "numel",
    }
    | {"requires_grad", "is_leaf", "layout", "is_contiguous", "is_floating_point", "nelement"}
)
KIND_FUNCTIONS = frozenset(
    {
        "isinstance",
        "len",
        "type",
        "is_tensor",
        "hasattr",
        "callable",
        "issubclass",
        "is_floating_point",
    }
)


def division_in(node: ast.AugAssign | ast.Call) -> ast.BinOp | None:
    """Return the division that `x /= y`, `x.div(y)` or `torch.div(x, y)` is, at the same place."""
    if isinstance(node, ast.AugAssign):
        if not isinstance(node.op, ast.Div):
            return None
        left, right = node.target, node.value
        return ast.copy_location(ast.BinOp(left, ast.Div(), right), node)
    if name_of(node) not in DIVIDING or len(node.args) not in (1, 2):
        return None
    receiver = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    parts = node.args if len(node.args) == 2 else [receiver, node.args[0]]
    return ast.copy_location(ast.BinOp(parts[0], ast.Div(), parts[1]), node)


def split_epsilon(denominator: ast.expr) -> tuple[ast.expr, ast.expr | None]:
    """Return the norm and epsilon of `norm + epsilon`, or the denominator and None."""
    if isinstance(denominator, ast.BinOp) and isinstance(denominator.op, ast.Add):
        for core, addend in (
            (denominator.left, denominator.right),
            (denominator.right, denominator.left),
        ):
            if _is_epsilon(addend):
                return core, addend
    return denominator, None


def _is_epsilon(addend: ast.expr) -> bool:
    if isinstance(addend, ast.Constant):
        return isinstance(addend.value, float) and 0.0 <= addend.value < LARGEST_EPSILON
    return bool(EPSILON_NAME.search(name_of(addend)))


def measured_code(origins: list[ast.expr]) -> set[str]:
    """Return the code of the tensors that norms measure.

    A list counts as its elements, and an indexed part also as the whole.
    """
    found: set[str] = set()
    for subject in map(norm_argument, origins):
        parts = subject.elts if isinstance(subject, (ast.List, ast.Tuple)) else [subject]
        for part in parts:
            while part is not None:
                found.add(text_of(part))
                part = part.value if isinstance(part, ast.Subscript) else None
    return found


def norm_argument(node: ast.expr) -> ast.expr | None:
    """Return the tensor that a norm measures, or None if the node is no norm."""
    if isinstance(node, ast.Call) and NORM_NAME.search(name_of(node).rstrip("_")):
        named = [keyword.value for keyword in node.keywords if keyword.arg in ("input", "x")]
        first = next(iter([*node.args, *named]), None)
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        if name_of(node) != "norm" or receiver is None or NORM_MODULES.search(dotted(receiver)):
            return first or receiver or node
        if isinstance(first, ast.BinOp) or any(k.arg == "axis" for k in node.keywords):
            return first  # no order: `backend.norm(a - b, axis=1)`
        takes_order = first is None or isinstance(first, (ast.Constant, ast.UnaryOp))
        takes_order = takes_order or text_of(first or node).startswith("float(")
        return receiver if takes_order and dotted(receiver) != "self" else None
    root = _sum_under_root(node)
    squared = (_squared(part) for part in walk(root)) if root is not None else ()
    return next((base for base in squared if base is not None), None)


def _sum_under_root(node: ast.expr) -> ast.expr | None:
    """Return the sum under a square root, or None."""
    inner: ast.expr | None = None
    if isinstance(node, ast.Call) and name_of(node) == "sqrt":
        inner = node.args[0] if node.args else node.func
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        inner = node.left if text_of(node.right) == "0.5" else None
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner if isinstance(inner, ast.Call) and name_of(inner) == "sum" else None


def _squared(node: ast.AST) -> ast.expr | None:
    """Return x for `x ** 2` and `x.pow(2)`, else None."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return node.left if text_of(node.right) == "2" else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value if text_of(node).endswith(".pow(2)") else None
    return None


def is_parameter_count(node: ast.expr) -> bool:
    """Return whether a node is `sum(p.numel() for p in module.parameters())`."""
    if not isinstance(node, ast.Call) or dotted(node.func) != "sum":
        return False
    called = {name_of(part) for part in walk(node) if isinstance(part, ast.Call)}
    return "numel" in called and "param" in text_of(node)


def is_named(origins: list[ast.expr], pattern: re.Pattern[str]) -> bool:
    """Return whether the last source of a value has a name that matches a pattern and is no limit."""
    last = name_of(origins[-1])
    return bool(pattern.search(last)) and not LIMIT_NAME.search(last)


def strip_conversions(node: ast.expr) -> ast.expr:
    """Strip the operations that preserve a value, such as `.item()`, `float(...)` and `[:, None]`."""
    while True:
        if isinstance(node, ast.Call) and name_of(node) in VALUE_PRESERVING:
            receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
            if receiver is not None and not NORM_MODULES.search(dotted(receiver)):
                node = receiver
            elif node.args:
                node = node.args[0]
            else:
                return node
        elif isinstance(node, ast.Subscript) and (
            isinstance(node.slice, ast.Tuple) or is_constant(node.slice, None)
        ):
            node = node.value
        else:
            return node


def is_none_test(test: ast.Compare) -> bool:
    """Return whether a comparison is `is None` or `is not None`."""
    return isinstance(test.ops[0], (ast.Is, ast.IsNot))


def name_of(node: ast.AST) -> str:
    """Return the last name of an attribute chain or of a called function, or the key of a subscript."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def name_or_attribute(node: ast.AST) -> str:
    """Return the code of a name or attribute chain, empty for anything else."""
    return text_of(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


def is_library_norm(node: ast.expr) -> bool:
    """Return whether an expression computes a norm itself, and not by a function with such a name."""
    if not isinstance(node, ast.Call):
        return norm_argument(node) is not None
    name = name_of(node)
    if name in NORM_FUNCTIONS and isinstance(node.func, ast.Attribute):
        return norm_argument(node) is not None
    return name == "sqrt" and norm_argument(node) is not None


def is_numpy_norm(node: ast.expr) -> bool:
    """Return whether a norm is numpy's, which measures points and vectors more than gradients."""
    return isinstance(node, ast.Call) and bool(NUMPY.search(dotted(node.func)))


def has_numpy_norm(origins: list[ast.expr]) -> bool:
    """Return whether one of the origins of a denominator holds a norm that numpy computes."""
    parts = (part for origin in origins for part in walk(origin))
    return any(is_numpy_norm(part) for part in parts if isinstance(part, ast.Call))


def is_row_norm(node: ast.expr) -> bool:
    """Return whether a norm is taken along one dimension, so that each row has its own."""
    calls = (part for part in walk(node) if isinstance(part, ast.Call))
    return any(
        keyword.arg in ("dim", "axis", "keepdim", "keepdims")
        for call in calls
        for keyword in call.keywords
    ) or any(
        name_of(call) in ("norm", "sum") and isinstance(argument, (ast.Constant, ast.UnaryOp))
        for call in walk(node)
        if isinstance(call, ast.Call)
        for argument in call.args[1 if name_of(call) == "norm" else 0 :]
    )


def is_constant_tensor(node: ast.expr) -> bool:
    """Return whether a tensor consists of literals, a window or a constant of the module."""
    if isinstance(node, ast.Call):
        return name_of(node) in FACTORIES
    return isinstance(node, ast.Name) and node.id.isupper() and len(node.id) > 1


def has_constant_norms(scopes: Sequence[str]) -> bool:
    """Return whether the norms in a function are computed once, or measure points in space.

    `scopes` are the path of the file and the names of the classes and functions, the innermost last.
    """
    return scopes[-1] in CONSTRUCTORS or any(GEOMETRY.search(name) for name in scopes)


def is_parameter_type(annotation: ast.expr | None) -> bool:
    """Return whether an annotation is that of a learned parameter."""
    return annotation is not None and dotted(annotation).rpartition(".")[2] == "Parameter"


def is_weight(node: ast.expr) -> bool:
    """Return whether a tensor is computed from the weight of a layer, or is a parameter of a model."""
    if isinstance(node, ast.Call):
        return name_of(node) in PARAMETERS
    parts = (part for part in walk(node) if isinstance(part, ast.Attribute))
    return any(part.attr == "weight" or part.attr.startswith("weight_") for part in parts)


def is_about_kind(above: ast.AST, node: ast.AST) -> bool:
    """Return whether an expression depends on the type, shape or device of a node, not on its value."""
    if isinstance(above, ast.Attribute):
        return above.attr in KIND
    return (
        isinstance(above, ast.Call) and above.func is not node and name_of(above) in KIND_FUNCTIONS
    )


def has_measured_name(part: ast.expr, measured: set[str]) -> bool:
    """Return whether an expression has a measured name, as `p.grad` has that of `new_grad_norm`."""
    name = name_of(part) or (part.value if isinstance(part, ast.Constant) else "")
    name = name if isinstance(name, str) else ""
    singular = name.rstrip("s")
    return bool(singular) and any(
        m == singular or m.endswith("_" + singular) or m.startswith(name + "_") for m in measured
    )
