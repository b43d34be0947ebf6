"""The cases of the rule `same-seed-on-every-rank`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` gives the data loader of every rank the same random stream: all ranks augment alike (line {} "
    "shows that several ranks run this). Add the rank to the seed"
)

VALID = (
    Valid(
        "the rank is added",
        """
        import os
        import torch
        from torch.utils.data import DataLoader, DistributedSampler

        RANK = int(os.environ["RANK"])

        def loader_of(data):
            generator = torch.Generator()
            generator.manual_seed(1234 + RANK)
            return DataLoader(data, sampler=DistributedSampler(data), generator=generator)
        """,
    ),
    Valid(
        "one process only",
        """
        import torch
        from torch.utils.data import DataLoader

        def loader_of(data):
            return DataLoader(data, shuffle=True, generator=torch.Generator().manual_seed(0))
        """,
    ),
    Valid(
        "a split, and the seed of the sampler",
        """
        import torch
        from torch.utils.data import DataLoader, DistributedSampler, random_split

        def loaders(data):
            parts = random_split(data, [0.9, 0.1], generator=torch.Generator().manual_seed(0))
            return [DataLoader(p, sampler=DistributedSampler(p, seed=0)) for p in parts]
        """,
    ),
    Valid(
        "initialisation",
        """
        import torch
        import torch.distributed as dist

        def main():
            torch.manual_seed(0)
            rank = dist.get_rank()
            return build().to(rank)
        """,
    ),
    Valid(
        "workers that start from torch's seed",
        """
        import random
        import torch
        from torch.utils.data import DataLoader, DistributedSampler

        def start(worker):
            random.seed(torch.initial_seed() % 2**32)

        def loader_of(data):
            return DataLoader(data, sampler=DistributedSampler(data), worker_init_fn=start)
        """,
    ),
)
INVALID = (
    Invalid(
        "a constant generator beside a sampler of ranks",
        """
        import torch
        from torch.utils.data import DataLoader, DistributedSampler

        def loader_of(data):
            stream = torch.Generator().manual_seed(1234)
            order = DistributedSampler(data)
            return DataLoader(data, sampler=order, generator=stream)
        """,
        ((5, MESSAGE.format("torch.Generator().manual_seed(1234)", 6)),),
    ),
    Invalid(
        "a constant of the module, where the rank is read",
        """
        import os
        import torch
        import torch.utils.data as data

        SEED = 7

        def loader_of(samples, sampler_of):
            me = int(os.getenv("LOCAL_RANK", -1))
            g = torch.Generator()
            g.manual_seed(SEED)
            sampler = None if me < 0 else sampler_of(samples)
            return data.DataLoader(samples, 8, sampler=sampler, generator=g)
        """,
        ((10, MESSAGE.format("g.manual_seed(SEED)", 8)),),
    ),
    Invalid(
        "workers that are seeded by their number",
        """
        import numpy as np
        import torch
        from torch.utils.data.distributed import DistributedSampler

        def start(worker):
            np.random.seed(42 + worker)

        def loader_of(samples):
            ranks = DistributedSampler(samples)
            return torch.utils.data.DataLoader(samples, sampler=ranks, worker_init_fn=start)
        """,
        ((6, MESSAGE.format("np.random.seed(42 + worker)", 9)),),
    ),
)
