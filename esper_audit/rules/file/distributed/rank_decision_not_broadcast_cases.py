"""The cases of the rule `rank-decision-not-broadcast`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` decides on every rank, but only the ranks of `{}` in line {} have the new value: the others "
    "stay behind. Broadcast it first"
)

VALID = (
    Valid(
        "a value that the rank itself asks for later",
        """
        import torch.distributed as dist
        from torch.distributed import get_rank

        def convert(path, model):
            config = None
            if get_rank() == 0:
                config = read(path)
            weights = gather(model)
            if get_rank() == 0:
                if config is None:
                    print("no configuration")
                    return
                write(config, weights)
        """,
    ),
    Valid(
        "a decision that a collective brought to the ranks before",
        """
        import os
        import torch.distributed as dist

        RANK = int(os.getenv("RANK", -1))

        def train(epochs, judge):
            for epoch in range(epochs):
                stop = judge(epoch)
                if RANK != -1:
                    flags = [stop if RANK == 0 else None]
                    dist.broadcast_object_list(flags, 0)
                    if RANK != 0:
                        stop = flags[0]
                if stop:
                    break
        """,
    ),
    Valid(
        "broadcast in between",
        """
        import torch.distributed as dist

        def main(epochs, rank):
            for epoch in range(epochs):
                stop = False
                if rank == 0:
                    stop = measure() > 3
                box = [stop]
                dist.broadcast_object_list(box, 0)
                if box[0] or stop:
                    break
        """,
    ),
    Valid(
        "used by the same ranks",
        """
        import torch.distributed as dist

        def main(epochs):
            is_first = dist.get_rank() == 0
            for epoch in range(epochs):
                if is_first:
                    score = measure()
                if is_first and score > 3:
                    continue
                learn()
        """,
    ),
    Valid(
        "every rank assigns it",
        """
        import torch.distributed as dist

        def main(epochs, rank):
            for epoch in range(epochs):
                if rank == 0:
                    stop = epoch > 3
                else:
                    stop = epoch > 3
                if stop:
                    break
        """,
    ),
    Valid(
        "a branch that leaves the function",
        """
        from accelerate import Accelerator

        def update(state, runner):
            if not runner.is_global_zero:
                state.history = {}
                return
            if not state.history:
                return
            state.write()
        """,
    ),
    Valid(
        "logging",
        """
        import torch.distributed as dist

        def main(epochs, rank):
            for epoch in range(epochs):
                loss = learn()
                if rank == 0:
                    text = str(loss)
                    print(text)
                if loss > 3:
                    break
        """,
    ),
    Valid(
        "a round whose rest concerns each rank alone",
        """
        import torch
        import torch.distributed as dist
        @torch.no_grad()
        def evaluate(model, metric, batches):
            for batch in batches:
                is_padding = False
                if dist.get_rank() >= batch.padded_from:
                    is_padding = True
                output = model(batch)
                if is_padding:
                    continue
                metric.update(output, batch)
        """,
    ),
    Valid(
        "a tensor that is filled and shared, one that every rank fills, one that the same rank reads",
        """
        import torch
        import torch.distributed as dist

        def main(epochs, rank, device):
            for epoch in range(epochs):
                stop = torch.zeros(1, device=device)
                if rank == 0 and measure() > 3:
                    stop.fill_(1)
                dist.all_reduce(stop)
                if stop.item():
                    break

        def all_fill(epochs, rank):
            stop = torch.zeros(1)
            for epoch in range(epochs):
                if rank == 0:
                    stop.fill_(measure())
                else:
                    stop.zero_()
                if stop.item():
                    break

        def alone(epochs, rank):
            seen = torch.zeros(9)
            for epoch in range(epochs):
                if rank == 0:
                    seen[epoch] = measure()
                if rank == 0 and seen[epoch] > 3:
                    break
        """,
    ),
)
ALONE = (
    "`break` leaves the loop of training on the ranks of `{}` only: the others go on and wait for them. "
    "Broadcast the decision, and leave on every rank"
)
INVALID = (
    Invalid(
        "a tensor that the first rank fills, an entry that it sets one call away",
        """
        import torch
        import torch.distributed as dist

        def is_first():
            return dist.get_rank() == 0

        def main(epochs, device):
            for epoch in range(epochs):
                stop = torch.zeros(1, device=device)
                if dist.get_rank() == 0:
                    if measure() > 3:
                        stop.fill_(1)
                if stop.item():
                    break

        def other(epochs):
            flags = torch.zeros(2)
            while epochs:
                epochs -= 1
                if is_first():
                    flags[0] = measure() > 3
                if bool(flags[0]):
                    return
        """,
        (
            (13, MESSAGE.format("stop.item()", "dist.get_rank() == 0", 10)),
            (22, MESSAGE.format("bool(flags[0])", "is_first()", 20)),
        ),
    ),
    Invalid(
        "some ranks leave the loop",
        """
        import torch.distributed as dist

        def fit(net, batches, opt, limit):
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                opt.step()
                opt.zero_grad()
                if dist.get_rank() == 0 and loss.item() < limit:
                    print("done")
                    break
        """,
        ((11, ALONE.format("dist.get_rank() == 0 and loss.item() < limit")),),
    ),
    Invalid(
        "an early stop of the first rank",
        """
        import torch.distributed as dist

        def main(epochs, rank):
            stop = False
            for epoch in range(epochs):
                learn()
                if rank == 0:
                    if measure() > 3:
                        stop = True
                dist.barrier()
                if stop:
                    break
        """,
        ((11, MESSAGE.format("stop", "rank == 0", 7)),),
    ),
    Invalid(
        "an attribute, with a rank of accelerate",
        """
        from accelerate import Accelerator

        class Learner:
            def fit(self, batches):
                for x in batches:
                    if self.accelerator.is_main_process:
                        self.waited = self.waited + 1 if self.score() < self.best else 0
                    if self.waited >= self.patience:
                        return
                    self.learn(x)
        """,
        (
            (
                8,
                MESSAGE.format(
                    "self.waited >= self.patience", "self.accelerator.is_main_process", 6
                ),
            ),
        ),
    ),
    Invalid(
        "a rank of the environment, one call away",
        """
        import os
        import torch.distributed

        def is_chief():
            return int(os.getenv("RANK", "0")) == 0

        def main(batches):
            skip = False
            for x in batches:
                if is_chief():
                    skip = is_broken(x)
                if skip:
                    continue
                learn(x)
        """,
        ((12, MESSAGE.format("skip", "is_chief()", 10)),),
    ),
)
