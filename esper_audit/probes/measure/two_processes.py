"""Two processes with gloo between them, that meet in a file: a free port may be taken by the time it is used."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch
import torch.distributed as dist

from esper_audit.findings.errors import FAILURES

WORLD = 2
# A collective in which the ranks do not agree on shapes waits for all of it.
TIMEOUT_SECONDS = 3.0
START_SECONDS = 8.0
Answer = bool | str


def run_on_two_ranks(work: Callable[[int], bool]) -> list[Answer]:
    """Return what `work(rank)` returned on each rank; where it did not, why not, in words.

    The ranks are forked: what `work` holds need not be picklable.
    """
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="esper-audit-ranks-") as folder:
        store = os.path.join(folder, "store")
        ends, processes = [], []
        for rank in range(WORLD):
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_rank, args=(rank, store, sender, work), daemon=True)
            process.start()
            sender.close()
            ends.append(receiver)
            processes.append(process)
        answers = [_answer(receiver) for receiver in ends]
        for process in processes:
            _end(process)
        return answers


def _answer(receiver: Connection) -> Answer:
    if not wait([receiver], TIMEOUT_SECONDS + START_SECONDS):
        return "gave no answer in time"
    try:
        answer: Answer = receiver.recv()
    except EOFError:
        return "died"
    return answer


def _end(process: BaseProcess) -> None:
    process.kill()
    process.join()


def _rank(rank: int, store: str, sender: Connection, work: Callable[[int], bool]) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(rank)
    timeout = timedelta(seconds=TIMEOUT_SECONDS)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD, timeout=timeout
    )
    try:
        sender.send(bool(work(rank)))
        # Stays until it is killed: the other rank may still be connecting to this one.
        time.sleep(TIMEOUT_SECONDS + START_SECONDS)
    # Whatever a rank raises is its answer; it leaves at once, so that the other one need not wait.
    except FAILURES as error:
        sender.send(f"raised {type(error).__name__}: {error}")
    # Left without ceremony: handlers of the process that was forked are not this one's to run.
    os._exit(0)
