"""The methods that framework bases call on their subclasses. An unknown base may call any."""

from __future__ import annotations

MODULE = frozenset(
    {"forward", "extra_repr", "train", "eval", "state_dict", "load_state_dict", "to", "to_empty"}
    | {"_apply", "apply", "_call_impl", "_slow_forward", "_get_name", "_named_members", "compile"}
    | {"_load_from_state_dict", "_save_to_state_dict", "_replicate_for_data_parallel", "half"}
    | {"get_extra_state", "set_extra_state", "parameters", "named_parameters", "buffers", "float"}
    | {"named_buffers", "children", "named_children", "modules", "named_modules", "cpu", "cuda"}
    | {"register_buffer", "register_parameter", "register_module", "add_module", "double", "type"}
    | {"bfloat16", "requires_grad_", "zero_grad", "share_memory", "get_parameter", "get_buffer"}
    | {"get_submodule", "set_submodule", "reset_parameters"}
)
OPTIMIZER = frozenset(
    {"step", "zero_grad", "state_dict", "load_state_dict", "add_param_group", "profile_hook_step"}
    | {"_process_value_according_to_param_policy"}
)
FUNCTION = frozenset({"forward", "backward", "setup_context", "jvp", "vjp", "vmap", "apply"})
SCHEDULER = frozenset(
    {"get_lr", "_get_closed_form_lr", "step", "state_dict", "load_state_dict", "get_last_lr"}
    | {"_initial_step", "_update_lr", "print_lr"}
)
NOTHING: frozenset[str] = frozenset()
CALLED_BY = {
    "builtins.object": NOTHING,
    "abc.ABC": NOTHING,
    "typing.Generic": NOTHING,
    "typing.Protocol": NOTHING,
    "typing_extensions.Protocol": NOTHING,
    "typing.NamedTuple": NOTHING,
    "typing.TypedDict": NOTHING,
    "enum.Enum": frozenset({"_missing_", "_generate_next_value_"}),
    "enum.IntEnum": frozenset({"_missing_", "_generate_next_value_"}),
    "enum.StrEnum": frozenset({"_missing_", "_generate_next_value_"}),
    "builtins.Exception": NOTHING,
    "builtins.ValueError": NOTHING,
    "builtins.TypeError": NOTHING,
    "builtins.RuntimeError": NOTHING,
    "builtins.KeyError": NOTHING,
    "builtins.NotImplementedError": NOTHING,
    "torch.nn.Module": MODULE,
    "torch.nn.modules.module.Module": MODULE,
    "torch.nn.modules.Module": MODULE,
    "torch.optim.Optimizer": OPTIMIZER,
    "torch.optim.optimizer.Optimizer": OPTIMIZER,
    "torch.autograd.Function": FUNCTION,
    "torch.optim.lr_scheduler.LRScheduler": SCHEDULER,
    "torch.optim.lr_scheduler._LRScheduler": SCHEDULER,
    "torch.utils.data.Dataset": NOTHING,
    "torch.utils.data.IterableDataset": NOTHING,
    "torch.utils.data.Sampler": NOTHING,
}

# Bases that use no method and no attribute of their subclasses.
INERT_BASES = frozenset(base for base, called in CALLED_BY.items() if called is NOTHING)


def may_call(base: str, member: str) -> bool:
    """Return whether a base outside the tree (dotted, `?` for one not known) may call a member by itself."""
    known = CALLED_BY.get(base.partition("[")[0])
    return known is None or member in known


def may_prescribe(base: str, member: str) -> bool:
    """Return whether a base outside the tree may determine the parameters of a member."""
    return may_call(base, member) and not (CALLED_BY.get(base) is MODULE and member == "forward")
