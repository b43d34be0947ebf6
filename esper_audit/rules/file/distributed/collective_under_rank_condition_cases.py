"""The cases of the rule `collective-under-rank-condition`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` is reached by some ranks only (`{}` in line {}): they wait for the others until the timeout. "
    "Call it on every rank"
)

VALID = (
    Valid(
        "the first rank goes ahead, the others wait before it and it wakes them after it",
        """
        import torch.distributed as dist
        from contextlib import contextmanager

        @contextmanager
        def first_rank_first():
            is_first = dist.get_rank() == 0
            try:
                if not is_first:
                    dist.barrier()
                yield
            finally:
                if is_first:
                    dist.barrier()
        """,
    ),
    Valid(
        "a rank of at least 0, as every rank of a distributed run is",
        """
        import torch.distributed as dist

        def wait(rank):
            if rank >= 0:
                dist.barrier()
        """,
    ),
    Valid(
        "whether the run is distributed at all, which is the same on every rank",
        """
        import os
        import torch.distributed as dist

        RANK = int(os.getenv("RANK", -1))

        def stop_together(stop):
            if RANK != -1:
                flags = [stop if RANK == 0 else None]
                dist.broadcast_object_list(flags, 0)
                return flags[0]
            return stop
        """,
    ),
    Valid(
        "the first rank prepares, the others wait",
        """
        import torch.distributed as dist

        def prepare(rank):
            if rank != 0:
                dist.barrier()
            download()
            if rank == 0:
                dist.barrier()
        """,
    ),
    Valid(
        "saving by the first rank, waiting by all",
        """
        import torch
        import torch.distributed as dist

        def save(net):
            if dist.get_rank() == 0:
                torch.save(net.state_dict(), "net.pt")
            dist.barrier()
        """,
    ),
    Valid(
        "both branches",
        """
        import torch.distributed as dist

        def share(value):
            if dist.get_rank() == 0:
                dist.broadcast_object_list([value], src=0)
            else:
                box = [None]
                dist.broadcast_object_list(box, src=0)
                value = box[0]
            return value
        """,
    ),
    Valid(
        "a group of its own, and no rank at all",
        """
        import os
        import torch.distributed as dist

        def reduce(x, members, group):
            if dist.get_rank() in members:
                dist.all_reduce(x, group=group)
                dist.barrier(group)
            if dist.get_world_size() > 1:
                dist.all_reduce(x)
        """,
    ),
    Valid(
        "another condition decides for every rank",
        """
        import torch.distributed as dist

        def log(text, in_order):
            if not in_order and dist.get_rank() == 0:
                print(text)
            elif in_order:
                dist.barrier()
        """,
    ),
    Valid(
        "a return on every rank",
        """
        import torch.distributed as dist

        def reduce(x):
            if not dist.is_initialized():
                return x
            dist.all_reduce(x)
            return x
        """,
    ),
    Valid(
        "a launcher that sets the rank",
        """
        import os
        import torch.distributed as dist
        def main():
            if os.getenv("RANK") is None:
                launch()
                return
            dist.barrier()
        """,
    ),
)
INVALID = (
    Invalid(
        "under the condition",
        """
        import torch
        import torch.distributed as dist

        def save(net):
            if dist.get_rank() == 0:
                torch.save(net.state_dict(), "net.pt")
                dist.barrier()
        """,
        ((7, MESSAGE.format("dist.barrier()", "dist.get_rank() == 0", 5)),),
    ),
    Invalid(
        "a rank by the environment, a mean of a metric",
        """
        import os
        from torch.distributed import all_reduce

        me = int(os.environ["LOCAL_RANK"])

        def log(loss, step):
            if me == 0 and step % 10 == 0:
                all_reduce(loss)
                print(loss)
        """,
        ((8, MESSAGE.format("all_reduce(loss)", "me == 0 and step % 10 == 0", 7)),),
    ),
    Invalid(
        "in a function of the first rank",
        """
        import torch.distributed as dist
        from lightning.pytorch.utilities import rank_zero_only

        @rank_zero_only
        def save(net):
            write(net)
            dist.barrier()
        """,
        ((7, MESSAGE.format("dist.barrier()", "rank_zero_only", 4)),),
    ),
    Invalid(
        "after a return",
        """
        from torch import distributed

        def is_first():
            return distributed.get_rank() == 0

        def finish(scores):
            if not is_first():
                return None
            distributed.all_gather_object([], scores)
            return scores
        """,
        ((9, MESSAGE.format("distributed.all_gather_object([], scores)", "not is_first()", 7)),),
    ),
    Invalid(
        "in a function that the branch calls",
        """
        import torch.distributed as dist
        import torch.multiprocessing as mp

        def mean(x):
            dist.all_reduce(x)
            return x / dist.get_world_size()


        def main(index, net):
            for x in net.batches():
                if index == 0:
                    print(mean(x))


        mp.spawn(main, args=(net,), nprocs=2)
        """,
        ((12, MESSAGE.format("mean(x)", "index == 0", 11)),),
    ),
)
