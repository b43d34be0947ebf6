"""Two processes of a gloo group that meet through a file, since a free port may be taken before its use."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch
import torch.distributed as dist

from esper_audit.findings.errors import FAILURES

WORLD = 2
# A collective whose ranks disagree on shapes waits until the timeout.
TIMEOUT_SECONDS = 3.0
START_SECONDS = 8.0
Answer = bool | str


def run_on_two_ranks(tasks: Sequence[Callable[[int], bool]]) -> list[list[Answer]]:
    """Return the results of `task(rank)` of both ranks for each task, or the reason if a rank has none.

    The tasks after one without a result are left out. The ranks are forked, so that a task need not be
    picklable.
    """
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="esper-audit-ranks-") as folder:
        store = os.path.join(folder, "store")
        ends, processes = [], []
        for rank in range(WORLD):
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(
                target=_run_rank, args=(rank, store, sender, tasks), daemon=True
            )
            process.start()
            sender.close()
            ends.append(receiver)
            processes.append(process)
        answers = [*_answers(ends, len(tasks))]
        for process in processes:
            _kill(process)
        return answers


def _answers(ends: Sequence[Connection], tasks: int) -> Iterator[list[Answer]]:
    for _ in range(tasks):
        answers = [_answer(receiver) for receiver in ends]
        yield answers
        if any(isinstance(answer, str) for answer in answers):
            return


def _answer(receiver: Connection) -> Answer:
    if not wait([receiver], TIMEOUT_SECONDS + START_SECONDS):
        return "gave no answer in time"
    try:
        answer: Answer = receiver.recv()
    except EOFError:
        return "died"
    return answer


def _kill(process: BaseProcess) -> None:
    process.kill()
    process.join()


def _run_rank(
    rank: int, store: str, sender: Connection, tasks: Sequence[Callable[[int], bool]]
) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(rank)
    timeout = timedelta(seconds=TIMEOUT_SECONDS)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD, timeout=timeout
    )
    try:
        # A group of its own: a collective that one rank leaves out must not meet one of the next task.
        between = dist.new_group(timeout=timedelta(seconds=TIMEOUT_SECONDS + START_SECONDS))
        for task in tasks:
            sender.send(bool(task(rank)))
            dist.barrier(between)
        # Waits to be killed, because the other rank may still be connecting to this one.
        time.sleep(TIMEOUT_SECONDS + START_SECONDS)
    # Any error is the answer of the rank; exiting at once lets the other rank fail without a timeout.
    except FAILURES as error:
        sender.send(f"raised {type(error).__name__}: {error}")
    # `os._exit` skips the exit handlers that this process inherited by fork.
    os._exit(0)
