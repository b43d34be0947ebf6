"""Two processes on one machine, with gloo between them."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from esper_ref.errors import EsperRefError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Work = Callable[[int], Any]
WORLD = 2
TIMEOUT = timedelta(seconds=20)


def run_on_two_ranks(work: Work) -> list[Any]:
    """Return what `work(rank)` returned on each rank: None from one that died, an error as text."""
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["torch", "torch.distributed", "esper_ref"])
        ends = [context.Pipe(duplex=False) for _ in range(WORLD)]
        processes = [
            context.Process(
                target=_rank, args=(rank, str(Path(folder) / "store"), ends[rank][1], work)
            )
            for rank in range(WORLD)
        ]
        for process in processes:
            process.start()
        for _, sender in ends:
            sender.close()
        answers = [_answer(receiver) for receiver, _ in ends]
        for process in processes:
            process.join()
        return answers


def _answer(receiver: Connection) -> Any:
    try:
        return receiver.recv()
    except EOFError:
        return None


def _rank(rank: int, store: str, sender: Connection, work: Work) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD, timeout=TIMEOUT
    )
    dist.barrier()  # a rank that dies at once would end the other while it still connects
    try:
        sender.send(work(rank))
    except EsperRefError as error:
        sender.send(f"{type(error).__name__}: {error}")
    dist.destroy_process_group()
