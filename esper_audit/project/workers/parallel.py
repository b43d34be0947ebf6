"""Map a function over files in worker processes with limits.

A process that dies or exceeds a limit costs only its current file. A worker is a fork of this process, or
a new interpreter where processes cannot be forked.
"""

from __future__ import annotations

import gc
import os
import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from esper_audit.project.workers.forked_worker import ForkedWorker
from esper_audit.project.workers.limited_work import POLL_SECONDS, Result, Work, WorkLimits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from esper_audit.project.workers.spawned_worker import NamedWork

# With as many files a second process ends a check a fifth sooner, for the same processor time.
FILES_A_PROCESS = 10


@contextmanager
def collector_off() -> Iterator[None]:
    """Switch the garbage collector off inside the block.

    Reference counts free the syntax trees.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def map_files(
    work: Work[Result],
    paths: Sequence[str],
    jobs: int,
    kind: type[Result],
    *,
    limits: WorkLimits | None = None,
    named: NamedWork | None = None,
) -> Iterator[Result]:
    """Yield the result of `work` for each path, in no particular order.

    `jobs` 0 chooses the number of processes. `kind` is the struct that `work` returns. Without `limits`,
    one job runs in this process. Where processes cannot be forked, new interpreters do the `named`
    work. Without it all files are processed in this process.
    """
    can_fork = "fork" in vars(os)
    count = jobs or sensible_jobs(len(paths))
    is_alone = count <= 1 and limits is None
    if not paths or is_alone or (not can_fork and named is None):
        yield from (work(path, ()) for path in paths)
        return
    parts = [paths[start::count] for start in range(count)]
    if can_fork:
        yield from _map_in_forks([ForkedWorker(work, part, kind, limits) for part in parts], limits)
    elif named is not None:
        from esper_audit.project.workers.spawned_worker import map_in_interpreters

        yield from map_in_interpreters(named, parts, kind, limits)


def _map_in_forks(
    workers: Sequence[ForkedWorker[Result]], limits: WorkLimits | None
) -> Iterator[Result]:
    by_descriptor = {worker.start(): worker for worker in workers if worker.has_work}
    while by_descriptor:
        ready, _, _ = select.select(list(by_descriptor), [], [], POLL_SECONDS if limits else None)
        for descriptor, worker in list(by_descriptor.items()):
            result = worker.receive() if descriptor in ready else None
            if result is None and (descriptor in ready or worker.is_ended_over_limit()):
                del by_descriptor[descriptor]
                result = worker.reap()
                by_descriptor |= {worker.start(): worker} if worker.has_work else {}
            if result is not None:
                yield result


def sensible_jobs(files: int) -> int:
    """Return the number of processes that check so many files soonest: one for each core at most."""
    return max(1, min(os.cpu_count() or 1, files // FILES_A_PROCESS))
