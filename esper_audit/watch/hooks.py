"""Hooks on torch: they turn what a training run does into events, and come off again."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from operator import methodcaller
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules import module as module_hooks
from torch.optim import Optimizer, lr_scheduler
from torch.optim import optimizer as optimizer_hooks
from torch.utils import data

from esper_audit.watch.collectives import COLLECTIVES
from esper_audit.watch.guard import Guard, restore
from esper_audit.watch.loader_hooks import LoaderHooks
from esper_audit.watch.monitor import Monitor
from esper_audit.watch.run import Run

LOSSES = (
    "cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "nll_loss", "kl_div",
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss",
)  # fmt: skip


class Hooks:
    """Installs hooks for monitors, sends them events, and puts torch back as it was.

    The hooks of steps come off after `steps` optimizer steps, those of monitors that stay at the end.
    A function that the user has bound by name keeps its wrapper, which then only passes the call on.
    """

    def __init__(self, run: Run, monitors: Sequence[Monitor], steps: int) -> None:
        self.run, self.steps = run, steps
        self.monitors = list(monitors)
        self._nothing = {monitor.id: monitor.nothing for monitor in monitors}
        self.optimizers = 0
        self._process = os.getpid()
        self._undo: list[Callable[[], None]] = []
        self._state = threading.local()
        self._listeners: dict[str, list[Any]] = {}
        self._listen()

    def _listen(self) -> None:
        """Keep, for each event, the monitors that define it."""
        events = [name for name in vars(Monitor) if not name.startswith("_")]
        self._listeners = {
            event: [monitor for monitor in self.monitors if event in vars(type(monitor))]
            for event in events
        }

    def send(self, event: str, *values: Any, **named: Any) -> None:
        """Send an event to its monitors. What they compute is neither recorded nor an event."""
        if self._listeners[event] and not self._is_silent():
            self.deliver(event, *values, **named)

    def deliver(self, event: str, *values: Any, **named: Any) -> None:
        """Send an event that may come from a forked child."""
        self.run.grad_enabled = torch.is_grad_enabled()
        with self._silence(), torch.no_grad():
            for monitor in list(self._listeners[event]):
                with Guard(self.run, monitor, self.drop):
                    methodcaller(event, *values, **named)(monitor)

    def drop(self, monitor: Monitor) -> None:
        """Send no more events to a monitor."""
        self.monitors.remove(monitor)
        self._listen()

    def _is_silent(self) -> bool:
        is_child = os.getpid() != self._process  # such as a worker of a data loader
        return is_child or torch.compiler.is_compiling() or vars(self._state).get("silent", False)

    @contextmanager
    def _silence(self) -> Iterator[None]:
        self._state.silent = True
        try:
            yield
        finally:
            self._state.silent = False

    def install(self) -> None:
        """Put every hook in its place."""
        self._hook_modules()
        self._hook_optimizers()
        self._hook_backward()
        self._hook_losses()
        self._hook_the_rest()

    def remove(self) -> None:
        """Take every hook off, in the reverse order."""
        while self._undo:
            self._undo.pop()()

    def finish(self) -> None:
        """Tell every monitor that the process ends, and write how often each looked."""
        self.send("run_ended")
        self.run.write_looks(self._nothing)
        if self.run.status is not None:
            self.run.status.end()
        self.remove()

    def _step_done(self, optimizer: Optimizer, place: Any) -> None:
        self.send("step_ended", optimizer, place)
        self.run.step += 1
        if self.steps and self.run.step == self.steps:
            self.monitors = [monitor for monitor in self.monitors if monitor.stays]
            self._listen()

    # Where the hooks are.

    def _hook_modules(self) -> None:
        register_before = module_hooks.register_module_forward_pre_hook
        register_after = module_hooks.register_module_forward_hook
        handles = [
            register_before(self._enter),
            register_after(self._leave, always_call=True),
        ]
        self._undo += [handle.remove for handle in handles]
        self._wrap(nn.Module, "train", self._before_train)

    def _enter(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        if torch.compiler.is_compiling():
            return
        depth = vars(self._state).get("depth", 0)
        self._state.depth = depth + 1
        if depth == 0 and not vars(self._state).get("in_backward", False):
            self.send("call_begins", module, inputs)

    def _leave(self, module: nn.Module, _inputs: object, output: object) -> None:
        if torch.compiler.is_compiling():
            return
        depth = self._state.depth = vars(self._state).get("depth", 1) - 1
        if vars(self._state).get("in_backward", False):  # checkpointed activations, made again
            return
        if self._listeners["module_ended"]:
            self.send("module_ended", module, output)
        if depth == 0 and self._listeners["call_ended"] and not self._is_silent():
            self.send("call_ended", module, output, self.run.place())

    def _before_train(self, module: nn.Module, mode: bool = True) -> Callable[[], None]:
        depth = vars(self._state).get("switching", 0)
        self._state.switching = depth + 1
        if depth == 0:
            self.send("mode_changed", module, training=mode, place=self.run.place())

        def after() -> None:
            self._state.switching = depth

        return after

    def _hook_optimizers(self) -> None:
        before = optimizer_hooks.register_optimizer_step_pre_hook(self._before_step)
        after = optimizer_hooks.register_optimizer_step_post_hook(self._after_step)
        self._undo += [before.remove, after.remove]
        self._wrap(Optimizer, "__init__", self._before_construction)
        for owner in (Optimizer, nn.Module):
            self._wrap(owner, "zero_grad", self._before_zeroing)

    def _before_construction(self, optimizer: Optimizer, *_: Any, **__: Any) -> Callable[[], None]:
        place = self.run.place()

        def after() -> None:
            self.optimizers += 1
            self.send("optimizer_built", optimizer, place)

        return after

    def _before_zeroing(self, owner: Any, *_: Any, **__: Any) -> None:
        self.send("gradients_zeroed", owner, self.run.place())

    def _before_step(self, optimizer: Optimizer, values: Any, named: Any) -> None:
        given = [value for value in (*values, *named.values()) if value is not optimizer]
        self.run.has_closure = any(map(callable, given))
        self.send("step_begins", optimizer, self.run.place())

    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        self._step_done(optimizer, self.run.place())

    def _hook_backward(self) -> None:
        self._wrap(torch.autograd, "backward", self._before_backward)

    def _before_backward(self, tensors: Any, *_: Any, **__: Any) -> Callable[[], None]:
        place = self.run.place()
        loss = tensors if isinstance(tensors, torch.Tensor) else next(iter(tensors))
        self.send("backward_begins", loss, place)
        self._state.in_backward = True

        def after() -> None:
            self._state.in_backward = False
            self.send("backward_ended", loss, place)

        return after

    def _hook_losses(self) -> None:
        for name in LOSSES:
            signature = inspect.signature(vars(functional)[name])
            self._wrap(functional, name, self._loss_listener(name, signature))

    def _loss_listener(self, name: str, signature: inspect.Signature) -> Callable[..., None]:
        def before(*values: Any, **named: Any) -> None:
            try:
                bound = signature.bind(*values, **named)
            except TypeError:  # torch says so itself
                return
            bound.apply_defaults()
            self.send("loss_called", name, bound.arguments, self.run.place())

        return before

    def _hook_the_rest(self) -> None:
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            for owner in (nn.utils, nn.utils.clip_grad):
                self._wrap(owner, name, self._before_clipping)
        for scheduler in (lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau):
            self._wrap(scheduler, "step", self._before_scheduler)
        self._wrap(torch.amp.GradScaler, "unscale_", self._before_unscaling)
        self._wrap(torch.amp.GradScaler, "scale", self._before_scaling)
        self._wrap(data.DistributedSampler, "set_epoch", self._before_epoch)
        self._wrap(torch, "save", self._before_saving)
        self._undo.append(LoaderHooks(self.run, self.send, self.deliver).install())
        if self.run.status is not None and torch.distributed.is_available():
            wrapper = nn.parallel.DistributedDataParallel  # every rank has to construct it
            self._wrap(wrapper, "__init__", self._collective_listener(wrapper.__name__))
            for name in COLLECTIVES:
                if name in vars(torch.distributed):
                    self._wrap(torch.distributed, name, self._collective_listener(name))

    def _collective_listener(self, name: str) -> Callable[..., Callable[[], None] | None]:
        def before(*_: Any, **__: Any) -> Callable[[], None] | None:
            status = self.run.status
            is_ours = status is not None and os.getpid() == self._process
            return status.begin(name, self.run.place()) if status and is_ours else None

        return before

    def _before_clipping(self, parameters: Any, *_: Any, **__: Any) -> None:
        if isinstance(parameters, list | tuple | torch.Tensor):  # an iterator is the user's
            given = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
            self.send("gradients_clipped", given, self.run.place())
        else:
            self.send("gradients_clipped", [], self.run.place())

    def _before_scheduler(self, scheduler: Any, *_: Any, **__: Any) -> None:
        self.send("scheduler_stepped", scheduler, self.run.place())

    def _before_unscaling(self, scaler: Any, optimizer: Optimizer) -> None:
        if scaler.is_enabled():
            self.send("gradients_unscaled", scaler, optimizer, self.run.place())

    def _before_scaling(self, scaler: Any, *_: Any, **__: Any) -> None:
        if scaler.is_enabled():
            self.send("loss_scaled", scaler, self.run.place())

    def _before_epoch(self, sampler: Any, *_: Any, **__: Any) -> None:
        self.send("epoch_set", sampler)

    def _before_saving(self, saved: Any, *_: Any, **__: Any) -> None:
        self.send("object_saved", saved, self.run.place())

    def _wrap(self, owner: Any, name: str, before: Callable[..., Any]) -> None:
        """Call `before` with the arguments ahead of a function, and what it returns after it."""
        original = vars(owner)[name]

        @wraps(original)
        def wrapper(*values: Any, **named: Any) -> Any:
            if torch.compiler.is_compiling() or not self._undo:
                return original(*values, **named)
            after = before(*values, **named)
            try:
                return original(*values, **named)
            finally:
                if after is not None:
                    after()

        setattr(owner, name, wrapper)
        self._undo.append(lambda: restore(owner, name, wrapper, original))
