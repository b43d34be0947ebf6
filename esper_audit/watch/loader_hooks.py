"""Hooks on data loaders: passes, and the first batches of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from torch.utils import data

from esper_audit.watch.guard import restore
from esper_audit.watch.run import Run

FIRST_BATCHES = 4  # of each pass


class LoaderHooks:
    """Sends an event for each pass over a loader, and for the first batches of a pass.

    The classes of iterators are private to torch, so each is hooked when the first pass shows it.
    """

    def __init__(self, run: Run, send: Callable[..., None]) -> None:
        self.run, self.send = run, send
        # By iterator its loader and the batches so far.
        self._passes: WeakKeyDictionary[Any, tuple[Any, int]] = WeakKeyDictionary()
        self._iterators: set[type] = set()
        self._undo: list[Callable[[], None]] = []

    def install(self) -> Callable[[], None]:
        """Put the hooks on, and return what takes them off."""
        original = data.DataLoader.__iter__

        @wraps(original)
        def start(loader: Any) -> Any:
            iterator = original(loader)
            if self._undo:
                self.send("loader_started", loader, self.run.place())
                self._passes[iterator] = (loader, 0)
                self._hook_iterator(type(iterator))
            return iterator

        data.DataLoader.__iter__ = start  # type: ignore[method-assign]  # it is put back later
        self._undo.append(lambda: restore(data.DataLoader, "__iter__", start, original))
        return self._remove

    def _remove(self) -> None:
        while self._undo:
            self._undo.pop()()
        self._passes.clear()

    def _hook_iterator(self, kind: type) -> None:
        owner = next(cls for cls in kind.__mro__ if "__next__" in vars(cls))
        if owner in self._iterators:
            return
        self._iterators.add(owner)
        original = vars(owner)["__next__"]

        @wraps(original)
        def following(iterator: Any) -> Any:
            batch = original(iterator)
            loader, number = self._passes.get(iterator, (None, FIRST_BATCHES))
            if number < FIRST_BATCHES and self._undo:
                self._passes[iterator] = (loader, number + 1)
                self.send("batch_loaded", loader, number, batch)
            return batch

        owner.__next__ = following  # type: ignore[attr-defined]  # it is an iterator
        self._undo.append(lambda: restore(owner, "__next__", following, original))
