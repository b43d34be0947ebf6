"""Running a module so that what comes out depends on nothing but what went in: one thread, one seed."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

SEED = 0


@contextmanager
def steady(seed: int = SEED) -> Iterator[None]:
    """Use one thread and random streams of its own inside the block, and leave all as they were.

    One, because with two a forward of 0.1 ms takes up to 130 ms on a shared machine, and sums come
    out in another order. What a subject warns of is no verdict, and does not stop a probe.
    """
    threads = torch.get_num_threads()
    python, numpy = random.getstate(), np.random.get_state()  # a subject may draw from either
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            begin_streams(seed)
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numpy)


def begin_streams(seed: int) -> None:
    """Start every random stream that a module may draw from at a seed.

    Not by `torch.manual_seed`: it formats a traceback for each kind of device that is not there, which
    takes more time than most modules do.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch's own
        torch.cuda.manual_seed_all(seed)
    random.seed(seed)
    np.random.seed(seed)
