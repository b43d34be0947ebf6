"""What is known of libraries: a tensor's `view`, for one, is no method of the tree."""

from __future__ import annotations

from esper_audit.source.index.values.value import ANYTHING, Value, Values, only

# What functions of these return contains no object of the tree, with the exceptions below.
CLOSED = frozenset(
    {"builtins", "torch", "numpy", "math", "os", "re", "json", "random", "time", "datetime", "string"}
    | {"struct", "hashlib", "logging", "sys", "subprocess", "shutil", "glob", "argparse", "warnings"}
    | {"ast", "pathlib", "io", "tempfile", "csv", "yaml", "tomllib", "PIL", "scipy", "pandas", "inspect"}
)  # fmt: skip
OPEN_CALLS = frozenset(
    {"torch.load", "torch.compile", "torch.jit.script", "torch.jit.trace", "torch.nn.Sequential"}
    | {"torch.nn.ModuleList", "torch.nn.ModuleDict", "torch.fx.symbolic_trace", "builtins.super"}
    | {"builtins.getattr", "builtins.next", "builtins.type", "builtins.vars", "builtins.filter"}
    | {"builtins.map", "builtins.zip", "builtins.enumerate", "builtins.dict", "builtins.list"}
    | {"builtins.tuple", "builtins.set", "builtins.sum", "builtins.max", "builtins.min"}
    | {"builtins.iter", "builtins.reversed", "builtins.sorted", "builtins.eval", "builtins.globals"}
    | {"builtins.locals", "builtins.property", "builtins.object", "builtins.__import__"}
)  # fmt: skip
OPEN_TYPES = frozenset(
    {"builtins.list", "builtins.dict", "builtins.tuple", "builtins.set", "builtins.object"}
    | {"builtins.type", "builtins.frozenset", "torch.nn.Module", "torch.nn.ModuleList"}
    | {"torch.nn.ModuleDict", "torch.nn.Sequential", "argparse.Namespace", "builtins.property"}
)  # fmt: skip
RETURNS_ITSELF = frozenset(
    {"to", "cuda", "cpu", "eval", "train", "half", "float", "double", "bfloat16", "type", "apply"}
    | {"requires_grad_", "share_memory", "to_empty", "compile"}
)  # fmt: skip
MODULE_METHODS = RETURNS_ITSELF | frozenset(
    {"parameters", "named_parameters", "buffers", "named_buffers", "modules", "named_modules"}
    | {"children", "named_children", "state_dict", "load_state_dict", "register_buffer", "zero_grad"}
    | {"register_parameter", "register_module", "add_module", "register_forward_hook", "training"}
    | {"register_forward_pre_hook", "register_full_backward_hook", "get_parameter", "get_buffer"}
    | {"get_submodule", "extra_repr"}
)  # fmt: skip


def call_result(name: str) -> Values:
    """Return the result of a call of something outside."""
    if name in OPEN_CALLS:
        return ANYTHING
    head, _, last = name.partition(".")[0], "", name.rpartition(".")[2]
    if last[:1].isupper() or last.lstrip("_")[:1].isupper() or head in CLOSED:
        return only(Value("object", name))
    return ANYTHING


def object_part(name: str) -> Values:
    """Return an attribute, an element or a call's result of an object made outside.

    Only its library is tracked, not that `torch.zeros(3).shape[0]` is an integer.
    """
    head = name.partition(".")[0]
    is_known = head in CLOSED and name not in OPEN_TYPES
    return only(Value("object", head)) if is_known else ANYTHING


def has_fixed_attributes(name: str) -> bool:
    """Return whether an object outside the tree has no attributes that the tree defines."""
    return name not in OPEN_TYPES


def is_module_class(bases: frozenset[str]) -> bool:
    """Return whether one of a class's bases outside is a `torch.nn.Module` or named like one."""
    return any(base.rpartition(".")[2].endswith("Module") for base in bases)
