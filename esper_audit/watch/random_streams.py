"""The random numbers that loading a batch draws, in a process and in its forked workers."""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import torch
from torch.utils import data

Report = Callable[[Mapping[str, str]], None]
LOADING = ("__getitem__", "__getitems__")  # what a worker calls of a dataset
FIRST_ITEMS = 8  # of a worker that are compared


def stream_states() -> dict[str, str]:
    """Return a hash of the state of each global random stream: torch, random, NumPy if it is imported."""
    states = {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "random": repr(random.getstate()).encode(),
    }
    if "numpy" in sys.modules:
        states["NumPy"] = repr(sys.modules["numpy"].random.get_state(legacy=False)).encode()
    return {name: hashlib.sha256(state).hexdigest()[:16] for name, state in states.items()}


def drawn_from(before: Mapping[str, str], where: str) -> dict[str, str]:
    """Return the streams whose state is another one than before, with the state before."""
    now = stream_states() if before else {}
    return {
        f"{name} numbers {where}": state for name, state in before.items() if now[name] != state
    }


def is_forking(loader: data.DataLoader[Any]) -> bool:
    """Return whether the workers of a loader are forks of this process."""
    context = loader.multiprocessing_context or multiprocessing
    return loader.num_workers > 0 and context.get_start_method() == "fork"


class WorkerStart:
    """The start of a worker: the user's own function, then a wrap of its dataset that compares states."""

    def __init__(self, own: Callable[[int], None] | None, report: Report) -> None:
        self.own, self.report = own, report

    def __call__(self, worker: int) -> None:
        """Run in the worker, with its number."""
        if self.own is not None:
            self.own(worker)
        info = data.get_worker_info()
        if info is None:
            return
        kind, where = type(info.dataset), f"in worker {worker}"
        for name in LOADING:
            owner = next((cls for cls in kind.__mro__ if name in vars(cls)), None)
            if owner is not None:
                setattr(owner, name, _listening(vars(owner)[name], where, self.report))


def _listening(original: Callable[..., Any], where: str, report: Report) -> Callable[..., Any]:
    """Return a function that reports, for its first calls, the streams it drew from, each once."""
    start, calls, reported = stream_states(), 0, set[str]()

    @wraps(original)
    def load(*values: Any) -> Any:
        nonlocal calls
        result = original(*values)
        calls += 1
        if calls <= FIRST_ITEMS:
            drawn = {k: v for k, v in drawn_from(start, where).items() if k not in reported}
            reported.update(drawn)
            report(drawn)
        return result

    return load
