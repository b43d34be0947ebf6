"""Hooks on the calls of modules and on `train`. They come off calls while no monitor receives them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.utils.hooks import RemovableHandle


class ThreadState(threading.local):
    """What a thread is in the middle of."""

    silent = False  # monitors compute
    in_backward = False
    depth = 0  # of the module that runs
    switching = 0  # calls of `train` around this one


class Silence:
    """Marks a `with` block in which monitors compute. A class, since it is entered for each event."""

    def __init__(self, state: ThreadState) -> None:
        self._state = state

    def __enter__(self) -> None:
        """Begin."""
        self._state.silent = True

    def __exit__(self, *_: object) -> None:
        """End, whatever was raised."""
        self._state.silent = False


class CallHooks:
    """Sends an event for each call of a module that no other module calls, and for each module that ends.

    Each call of any module pays for the hooks, so they are on only where they are needed.
    """

    def __init__(self, state: ThreadState, send: Callable[..., None]) -> None:
        self._state, self._send = state, send
        self._handles: list[RemovableHandle] = []

    def put_on(self) -> None:
        """Put the hooks on, where they are not."""
        if not self._handles:
            self._handles = [
                module_hooks.register_module_forward_pre_hook(self._enter),
                module_hooks.register_module_forward_hook(self._leave, always_call=True),
            ]

    def take_off(self) -> None:
        """Take the hooks off, until they are put on again."""
        while self._handles:
            self._handles.pop().remove()
        self._state.depth = 0

    def _enter(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        if torch.compiler.is_compiling():
            return
        state = self._state
        state.depth += 1
        if state.depth == 1 and not state.in_backward:
            self._send("call_begins", module, inputs)

    def _leave(self, module: nn.Module, _inputs: object, output: object) -> None:
        if torch.compiler.is_compiling():
            return
        state = self._state
        state.depth = max(0, state.depth - 1)  # the hooks may have been put on within a call
        if state.in_backward:  # checkpointed activations, made again
            return
        self._send("module_ended", module, output)
        if state.depth == 0:
            self._send("call_ended", module, output)

    def before_train(self, module: nn.Module, mode: bool = True) -> Callable[[], None]:
        """Send the outermost call of `train`, and watch the calls of modules that follow."""
        depth = self._state.switching
        self._state.switching = depth + 1
        if depth == 0:
            self.put_on()
            self._send("mode_changed", module, training=mode)

        def after() -> None:
            self._state.switching = depth

        return after
