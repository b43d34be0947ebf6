"""Hooks on torch: they turn what a training run does into events, and come off again."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from functools import wraps
from operator import attrgetter
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer, lr_scheduler
from torch.optim import optimizer as optimizer_hooks
from torch.utils import data

from esper_audit.watch.call_hooks import CallHooks, Silence, ThreadState
from esper_audit.watch.collectives import COLLECTIVES
from esper_audit.watch.guard import Guard, restore
from esper_audit.watch.loader_hooks import LoaderHooks
from esper_audit.watch.monitor import Monitor
from esper_audit.watch.run import Run

LOSSES = (
    "cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "nll_loss", "kl_div",
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss",
)  # fmt: skip
EVENTS = [
    name for name, value in vars(Monitor).items() if inspect.isfunction(value) and name[0] != "_"
]
WITH_PLACE = {
    name for name in EVENTS if "place" in inspect.signature(vars(Monitor)[name]).parameters
}


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
        self._state = ThreadState()
        self._silence = Silence(self._state)
        self._calls = CallHooks(self._state, self.send)
        self._listeners: dict[str, list[tuple[Guard, Callable[..., None]]]] = {}
        self._listen()

    def _listen(self) -> None:
        """Keep, for each event, what the monitors that define it do, each behind a guard."""
        self._listeners = {
            event: [
                (Guard(self.run, monitor, self.drop), attrgetter(event)(monitor))
                for monitor in self.monitors
                if event in vars(type(monitor))
            ]
            for event in EVENTS
        }

    def send(self, event: str, *values: Any, **named: Any) -> None:
        """Send an event, with the user's line where it has one. What monitors compute is no event."""
        if self._listeners[event] and not self._is_silent():
            if event in WITH_PLACE and "place" not in named:
                named["place"] = self.run.place()
            self.deliver(event, *values, **named)

    def deliver(self, event: str, *values: Any, **named: Any) -> None:
        """Send an event that may come from a forked child."""
        self.run.grad_enabled = torch.is_grad_enabled()
        with self._silence, torch.no_grad():
            for guard, receive in self._listeners[event]:
                with guard:
                    receive(*values, **named)

    def drop(self, monitor: Monitor) -> None:
        """Send no more events to a monitor."""
        self.monitors.remove(monitor)
        self._listen()

    def _is_silent(self) -> bool:
        is_child = os.getpid() != self._process  # such as a worker of a data loader
        return is_child or torch.compiler.is_compiling() or self._state.silent

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

    def _leave_steps(self) -> None:
        """Let the monitors of steps go, and take the hooks off calls while none listens to them."""
        if not all(monitor.stays for monitor in self.monitors):
            self.monitors = [monitor for monitor in self.monitors if monitor.stays]
            self._listen()
        if not any(monitor.receives_calls for monitor in self.monitors):
            self._calls.take_off()

    # Where the hooks are.

    def _hook_modules(self) -> None:
        self._undo.append(self._calls.take_off)
        self._calls.put_on()
        self._wrap(nn.Module, "train", self._calls.before_train)

    def _hook_optimizers(self) -> None:
        before = optimizer_hooks.register_optimizer_step_pre_hook(self._before_step)
        after = optimizer_hooks.register_optimizer_step_post_hook(self._after_step)
        self._undo += [before.remove, after.remove]
        self._wrap(Optimizer, "__init__", self._before_construction)
        for owner in (Optimizer, nn.Module):
            self._wrap(owner, "zero_grad", self._before_zeroing)

    def _before_construction(self, optimizer: Optimizer, *_: Any, **__: Any) -> Callable[[], None]:
        def after() -> None:
            self.optimizers += 1
            self.send("optimizer_built", optimizer)

        return after

    def _before_zeroing(self, owner: Any, *_: Any, **__: Any) -> None:
        self.send("gradients_zeroed", owner)

    def _before_step(self, optimizer: Optimizer, values: Any, named: Any) -> None:
        given = [value for value in (*values, *named.values()) if value is not optimizer]
        self.run.has_closure = any(map(callable, given))
        self.send("step_begins", optimizer)

    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        self.send("step_ended", optimizer)
        self.run.step += 1
        if self.steps and self.run.step >= self.steps:
            self._leave_steps()

    def _hook_backward(self) -> None:
        self._wrap(torch.autograd, "backward", self._before_backward)

    def _before_backward(self, tensors: Any, *_: Any, **__: Any) -> Callable[[], None]:
        loss = tensors if isinstance(tensors, torch.Tensor) else next(iter(tensors))
        self.send("backward_begins", loss)
        self._state.in_backward = True

        def after() -> None:
            self._state.in_backward = False
            self.send("backward_ended", loss)

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
            self.send("loss_called", name, bound.arguments)

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
            self.send("gradients_clipped", given)
        else:
            self.send("gradients_clipped", [])

    def _before_scheduler(self, scheduler: Any, *_: Any, **__: Any) -> None:
        self.send("scheduler_stepped", scheduler)

    def _before_unscaling(self, scaler: Any, optimizer: Optimizer) -> None:
        if scaler.is_enabled():
            self.send("gradients_unscaled", scaler, optimizer)

    def _before_scaling(self, scaler: Any, *_: Any, **__: Any) -> None:
        if scaler.is_enabled():
            self.send("loss_scaled", scaler)

    def _before_epoch(self, sampler: Any, *_: Any, **__: Any) -> None:
        self.send("epoch_set", sampler)

    def _before_saving(self, saved: Any, *_: Any, **__: Any) -> None:
        self.send("object_saved", saved)

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
