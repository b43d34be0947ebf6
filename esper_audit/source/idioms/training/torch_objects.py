"""Kinds of objects that a training loop handles, by the names of what makes them."""

from __future__ import annotations

import ast
from collections.abc import Collection

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

SCHEDULERS = "torch.optim.lr_scheduler."
NO_OPTIMIZERS = ("torch.optim.lr_scheduler", "torch.optim.swa_utils")
OPTIMIZERS = frozenset(
    {"ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon"}
    | {"NAdam", "RAdam", "RMSprop", "Rprop", "SGD", "SparseAdam"}
)
SCALERS = frozenset(
    {"torch.amp.GradScaler", "torch.cuda.amp.GradScaler", "torch.amp.grad_scaler.GradScaler"}
    | {"torch.cuda.amp.grad_scaler.GradScaler"}
)
# Functions of other libraries that return one of torch's schedulers.
SCHEDULER_FACTORIES = frozenset(
    {"get_linear_schedule_with_warmup", "get_cosine_schedule_with_warmup", "get_scheduler"}
    | {"get_constant_schedule_with_warmup"}
)
NO_GRADIENTS = frozenset(
    {"torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad"}
    | {"torch.autograd.inference_mode", "torch.autograd.grad_mode.no_grad"}
)
GRAD_SWITCHES = frozenset({"torch.set_grad_enabled", "torch.autograd.set_grad_enabled"})
LOADERS = frozenset({"torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"})


def is_optimizer(origins: Collection[str]) -> bool:
    """Return whether a value comes from one of torch's optimizers."""
    return any(
        name.startswith("torch.optim.") and not name.startswith(NO_OPTIMIZERS) for name in origins
    )


def is_scheduler(origins: Collection[str]) -> bool:
    """Return whether a value is one of torch's learning rate schedulers."""
    return any(
        name.startswith(SCHEDULERS) or name.rpartition(".")[2] in SCHEDULER_FACTORIES
        for name in origins
    )


def is_scaler(origins: Collection[str]) -> bool:
    """Return whether a value is one of torch's gradient scalers."""
    return not SCALERS.isdisjoint(origins)


def is_known(origins: Collection[str]) -> bool:
    """Return whether the origin of a value is a function or class at all."""
    return any(origins)


class LoopNames:
    """The dotted names of a file that are optimizers or gradient scalers by how they are used."""

    def __init__(self, file: FileView) -> None:
        origins = file.once(Constructors)
        self.scalers: set[str] = set()
        self.optimizers: set[str] = set()
        for access in file.nodes(ast.Attribute):
            if access.attr == "param_groups":
                self.optimizers.add(dotted(access.value))
            elif access.attr == "backward" and (scaler := scaler_of(access.value)):
                self.scalers.add(dotted(scaler))
        for call in file.nodes(ast.Call):
            if not call.args or not isinstance(call.func, ast.Attribute):
                continue
            receiver = call.func.value
            if call.func.attr == "step":
                if dotted(receiver) in self.scalers or is_scaler(origins.of(receiver)):
                    self.optimizers.add(dotted(call.args[0]))
            elif (file.resolve(call.func) or "").startswith(SCHEDULERS):
                self.optimizers.add(dotted(call.args[0]))
        self.optimizers.discard("")
        self.scalers.discard("")


def scaler_of(loss: ast.expr) -> ast.expr | None:
    """Return `scaler` for the scaled loss `scaler.scale(loss)`, None for anything else."""
    if not isinstance(loss, ast.Call) or not loss.args:
        return None
    is_scaled = terminal_name(loss.func) == "scale" and isinstance(loss.func, ast.Attribute)
    return loss.func.value if is_scaled and isinstance(loss.func, ast.Attribute) else None


def is_without_gradients(expression: ast.expr, file: FileView) -> bool:
    """Return whether a context manager or decorator switches gradients off."""
    call = expression if isinstance(expression, ast.Call) else None
    called = call.func if call else expression
    name = file.resolve(called) or ""
    if name in NO_GRADIENTS or (not name and dotted(called) in NO_GRADIENTS):
        return True
    if call is not None and not name:
        return _is_manager_without_gradients(call, file)
    if name not in GRAD_SWITCHES or call is None or not call.args:
        return False
    return not (isinstance(call.args[0], ast.Constant) and call.args[0].value is True)


def _is_manager_without_gradients(call: ast.Call, file: FileView) -> bool:
    """Return whether a function of the file that a `with` calls switches gradients off itself."""
    target = file.once(LocalCalls).target(call)
    if target is None:
        return False
    blocks = (block for block in scan(target, {ast.With}) if isinstance(block, ast.With))
    managers = [item.context_expr for block in blocks for item in block.items]
    functions = [manager.func if isinstance(manager, ast.Call) else manager for manager in managers]
    return any(file.resolve(function) in NO_GRADIENTS for function in functions)
