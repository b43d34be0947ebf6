"""Hooks on data loaders: passes, and the first batches of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any
from weakref import WeakKeyDictionary

from torch.utils import data

from esper_audit.watch.guard import restore
from esper_audit.watch.random_streams import WorkerStart, drawn_from, is_forking, stream_states
from esper_audit.watch.records import UserLine
from esper_audit.watch.run import Run

FIRST_BATCHES = 4  # of each pass


class LoaderHooks:
    """Sends an event for each pass over a loader, and for the first batches of a pass.

    The classes of iterators are private to torch, so each is hooked when the first pass shows it.
    """

    def __init__(self, run: Run, send: Callable[..., None], deliver: Callable[..., None]) -> None:
        self.run, self.send, self.deliver = run, send, deliver
        # By iterator its loader and the batches so far.
        self._passes: WeakKeyDictionary[Any, tuple[Any, int]] = WeakKeyDictionary()
        self._iterators: set[type] = set()
        self._undo: list[Callable[[], None]] = []

    def install(self) -> Callable[[], None]:
        """Put the hooks on, and return what takes them off."""
        original = data.DataLoader.__iter__

        @wraps(original)
        def start(loader: Any) -> Any:
            place = self.run.place()
            with self._listening_workers(loader, place):
                iterator = original(loader)
            if self._undo:
                self.send("loader_started", loader, place=place)
                self._passes[iterator] = (loader, 0)
                self._hook_iterator(type(iterator))
            return iterator

        data.DataLoader.__iter__ = start  # type: ignore[method-assign]  # it is put back later
        self._undo.append(lambda: restore(data.DataLoader, "__iter__", start, original))
        return self._remove

    @contextmanager
    def _listening_workers(self, loader: Any, place: UserLine) -> Iterator[None]:
        """Let the workers that start meanwhile report the random numbers that they draw."""
        if not (self.run.is_ranked and self._undo and is_forking(loader)):
            yield
            return
        own = loader.worker_init_fn
        loader.worker_init_fn = WorkerStart(own, partial(self._report_drawn, place))
        try:
            yield
        finally:
            loader.worker_init_fn = own

    def _report_drawn(self, place: UserLine, streams: Mapping[str, str]) -> None:
        if streams:
            self.deliver("numbers_drawn", streams, place)

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
            loader, number = self._passes.get(iterator, (None, FIRST_BATCHES))
            if number >= FIRST_BATCHES or not self._undo:
                return original(iterator)
            # A sampler may draw its seed from the global stream ahead of the first batch.
            is_asked = number > 0 and self.run.is_ranked and loader.num_workers == 0
            before = stream_states() if is_asked else {}
            batch = original(iterator)
            self._passes[iterator] = (loader, number + 1)
            self.send("batch_loaded", loader, number, batch)
            self._report_drawn(self.run.place(), drawn_from(before, f"for batch {number}"))
            return batch

        owner.__next__ = following  # type: ignore[attr-defined]  # it is an iterator
        self._undo.append(lambda: restore(owner, "__next__", following, original))
