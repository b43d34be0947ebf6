"""The monitor `data-varies`: epochs, workers and ranks see different data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from torch import Tensor
from torch.utils import data

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor
from esper_audit.watch.rank_comparison import SAME_BATCH, SAME_STREAM
from esper_audit.watch.records import Measured

if TYPE_CHECKING:
    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run

Loader = data.DataLoader[Any]
SAMPLE = 256  # values of each tensor that a batch is recognised by


class DataVaries(Monitor):
    """Data that should vary is the same.

    What: a loader that shuffles and begins two passes with the same batch, a loader whose batches from
    two workers are equal, a `DistributedSampler` whose second pass begins without `set_epoch`, equal
    first batches on two ranks, and ranks that draw the same random numbers while they load data.

    Why: an order that never changes is learned with the data, and equal batches are paid twice.

    Quiet: loaders that do not shuffle, data of one batch, loading that draws no random numbers.

    Tickets: real code
    """

    contract = "random-streams"
    category = Category.CORRECTNESS
    severity = Severity.P2
    nothing = "no data loader was used"
    stays = True

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.passes: WeakKeyDictionary[Loader, int] = WeakKeyDictionary()
        self.places: WeakKeyDictionary[Loader, UserLine] = WeakKeyDictionary()
        self.firsts: WeakKeyDictionary[Loader, str] = WeakKeyDictionary()
        self.previous: WeakKeyDictionary[Loader, str] = WeakKeyDictionary()
        self.epochs: set[int] = set()

    def epoch_set(self, sampler: object) -> None:
        """Note that a sampler has its epoch."""
        self.epochs.add(id(sampler))

    def loader_started(self, loader: Loader, place: UserLine) -> None:
        """Ask a distributed sampler for its epoch."""
        self.look(place)
        self.passes[loader] = self.passes.get(loader, 0) + 1
        self.places[loader] = place
        self.previous.pop(loader, None)
        sampler = loader.sampler
        is_second = self.passes[loader] == 2 and id(sampler) not in self.epochs
        if is_second and isinstance(sampler, data.DistributedSampler) and sampler.shuffle:
            message = (
                "a DistributedSampler begins a second epoch without set_epoch: its order repeats"
            )
            self.report("epoch-not-set", place, message)

    def numbers_drawn(self, streams: Mapping[str, str], place: UserLine) -> None:
        """Write the state that each stream was in before loading drew from it."""
        for stream, state in streams.items():
            key = f"{stream} ({place.path}:{place.line})"
            self.run.compare(Measured(self.id, SAME_STREAM, key, state, place))

    def batch_loaded(self, loader: Loader, number: int, batch: object) -> None:
        """Compare a batch with the one before, and the first with that of the pass before."""
        found, place = _digest(batch), self.places[loader]
        if not found:
            return
        is_shuffled = isinstance(loader.sampler, data.RandomSampler)
        if number == 0:
            if is_shuffled and self.firsts.get(loader) == found and _has_several(loader):
                message = "two passes of a shuffled loader begin with the same batch: its generator is seeded anew"
                self.report("same-order", place, message)
            self.firsts[loader] = found
            key = f"{place.path}:{place.line} pass {self.passes[loader]}"
            self.run.compare(Measured(self.id, SAME_BATCH, key, found, place))
        elif loader.num_workers > 1 and self.previous.get(loader) == found:
            message = (
                "two workers returned equal batches: each worker needs a random stream of its own"
            )
            self.report("same-workers", place, message)
        self.previous[loader] = found


def _has_several(loader: Loader) -> bool:
    return len(loader) > 1


def _digest(batch: object) -> str:
    """Return a hash of some values of the tensors of a batch, empty where there are none."""
    parts = [
        t.detach().flatten()[:SAMPLE].cpu().double().numpy().tobytes() for t in _tensors(batch)
    ]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16] if parts else ""


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
