"""The calls of torch that return one tensor, and no tuple of them."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

FUNCTIONAL = "torch.nn.functional."
TENSOR = "Tensor"
SEVERAL = (
    "with_indices",
    "multi_head_attention",
    "lstm",
    "gru",
    "rnn",
    "has_torch",
    "handle_torch",
)
TENSOR_FUNCTIONS = frozenset(
    {
        "cat",
        "stack",
        "matmul",
        "mm",
        "bmm",
        "zeros",
        "ones",
        "full",
        "empty",
        "rand",
        "randn",
        "arange",
    }
    | {
        "zeros_like",
        "ones_like",
        "where",
        "softmax",
        "log_softmax",
        "sigmoid",
        "tanh",
        "relu",
        "exp",
    }
    | {
        "log",
        "sqrt",
        "abs",
        "clamp",
        "einsum",
        "flatten",
        "reshape",
        "squeeze",
        "unsqueeze",
        "tensor",
    }
    | {"as_tensor", "from_numpy", "linspace", "eye", "permute", "transpose", "gather", "cumsum"}
)
TENSOR_LAYERS = frozenset(
    {
        "Linear",
        "Conv1d",
        "Conv2d",
        "Conv3d",
        "ConvTranspose1d",
        "ConvTranspose2d",
        "ConvTranspose3d",
    }
    | {
        "LayerNorm",
        "BatchNorm1d",
        "BatchNorm2d",
        "BatchNorm3d",
        "GroupNorm",
        "Embedding",
        "Dropout",
    }
    | {
        "ReLU",
        "GELU",
        "SiLU",
        "Sigmoid",
        "Tanh",
        "Softmax",
        "AvgPool2d",
        "AdaptiveAvgPool2d",
        "Flatten",
    }
)


def type_returned(call: ast.Call, file: FileView) -> str:
    """Return "Tensor" for a call of torch that returns one tensor, else an empty string."""
    name = file.resolve(call.func) or ""
    if any(k.arg in ("return_indices", "out", None) for k in call.keywords):
        return ""
    head, _, last = name.rpartition(".")
    if name.startswith(FUNCTIONAL):
        # A private helper may return None: `_canonical_mask`.
        is_several = any(part in name for part in SEVERAL) or last.startswith("_")
        return "" if is_several else TENSOR
    if head == "torch" and last in TENSOR_FUNCTIONS:
        return TENSOR
    return TENSOR if _is_own_layer(call, file) else ""


def _is_own_layer(call: ast.Call, file: FileView) -> bool:
    """Return whether a call is one of an attribute to which the class only assigns such layers."""
    function = call.func
    if not isinstance(function, ast.Attribute) or dotted(function.value) != "self":
        return False
    scopes = [s for s in file.definitions(call) if isinstance(s, ast.ClassDef)]
    if not scopes:
        return False
    found = file.once(class_table).family(scopes[-1]).bindings(function.attr)
    made = [use.value.func if isinstance(use.value, ast.Call) else None for use in found]
    return bool(made) and all(
        m is not None
        and (file.resolve(m) or "").startswith("torch.nn.")
        and terminal_name(m) in TENSOR_LAYERS
        for m in made
    )
