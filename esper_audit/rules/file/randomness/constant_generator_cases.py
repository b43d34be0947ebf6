"""The cases of the rule `constant-generator`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` decides the random numbers where `{}` is not given: the caller's `torch.manual_seed` has no "
    "effect. Draw the seed from the default generator"
)

ORDERED = (
    "`{}` gives `{}` the same order in each run: the caller's `torch.manual_seed` has no effect. Take the "
    "generator or the seed as an argument"
)

REPEATED = (
    "`{}` starts the same stream for each batch: all of them draw the same numbers. Make the generator "
    "once, and keep it"
)

VALID = (
    Valid(
        "collators that keep their generator, count on, or are asked for the same numbers",
        """
        import numpy as np
        import torch
        from torch.nn.utils.rnn import pad_sequence

        class Masks:
            def __init__(self, rate, seed=1234, fixed=False):
                self.rate, self.seed, self.fixed, self.step = rate, seed, fixed, 0
                self.rng = torch.Generator().manual_seed(seed)

            def __call__(self, rows):
                ids = pad_sequence(rows, batch_first=True)
                self.step += 1
                later = torch.Generator().manual_seed(self.seed + self.step)
                if self.fixed:
                    later = torch.Generator().manual_seed(self.seed)
                chosen = torch.rand(ids.shape, generator=self.rng) < self.rate
                return ids, chosen & (torch.rand(ids.shape, generator=later) < 0.5)

        def crops(image, seed=0):
            rng = np.random.default_rng(0)
            return image[rng.integers(4):]

        def measure(model, rows):
            for row in rows:
                noise = torch.Generator().manual_seed(0)
                model(row + torch.randn(row.shape, generator=noise))
        """,
    ),
    Valid(
        "loaders whose order is the data's, the caller's or that of the default generator",
        """
        import torch
        from torch.utils.data import DataLoader, RandomSampler, SequentialSampler

        def held_out(rows, size, seed, other):
            stream = torch.Generator().manual_seed(0)
            drawn = torch.Generator().manual_seed(seed)
            first = DataLoader(rows, size, shuffle=False, generator=stream)
            second = DataLoader(rows, size, sampler=SequentialSampler(rows), generator=stream)
            third = DataLoader(rows, size, shuffle=True, generator=drawn)
            return first, second, third, RandomSampler(rows), other(rows, generator=stream)
        """,
    ),
    Valid(
        "a loader of a script",
        """
        import torch
        from torch.utils.data import DataLoader

        def main(rows):
            stream = torch.Generator().manual_seed(0)
            train(DataLoader(rows, 8, shuffle=True, generator=stream))

        if __name__ == "__main__":
            main(read())
        """,
    ),
    Valid(
        "noise that is the same in each evaluation",
        """
        import torch

        class Flow:
            def start(self, x):
                if self.training:
                    generator = None
                else:
                    generator = torch.Generator(device=x.device)
                    generator.manual_seed(0)
                return torch.randn(x.shape, generator=generator)
        """,
    ),
    Valid(
        "drawn from the default generator",
        """
        import torch

        def shuffle(x, generator=None):
            if generator is None:
                seed = int(torch.empty((), dtype=torch.int64).random_().item())
                generator = torch.Generator().manual_seed(seed)
            return x[torch.randperm(len(x), generator=generator)]
        """,
    ),
    Valid(
        "a seed that is a parameter",
        """
        import numpy as np

        def split(data, seed=0, rng=None):
            if rng is None:
                rng = np.random.default_rng(seed)
            return rng.permutation(data)
        """,
    ),
    Valid(
        "a split that no caller decides",
        """
        import torch
        from torch.utils.data import random_split

        def parts(data):
            return random_split(data, [0.9, 0.1], generator=torch.Generator().manual_seed(42))
        """,
    ),
    Valid(
        "a script",
        """
        import torch

        generator = None
        if generator is None:
            generator = torch.Generator().manual_seed(0)
        """,
    ),
)
INVALID = (
    Invalid(
        "a collator that masks",
        """
        import torch
        from torch.nn.utils.rnn import pad_sequence

        class Masks:
            def __init__(self, rate: float = 0.15, seed: int = 1234):
                self.rate = rate
                self.seed = seed

            def __call__(self, rows):
                ids = pad_sequence(rows, batch_first=True)
                rng = torch.Generator().manual_seed(self.seed)
                chosen = torch.rand(ids.shape, generator=rng) < self.rate
                return ids.masked_fill(chosen, 0), ids
        """,
        ((11, REPEATED.format("torch.Generator().manual_seed(self.seed)")),),
    ),
    Invalid(
        "a helper of a collator, by numpy, and the seed of a field",
        """
        from dataclasses import dataclass
        import numpy as np
        import torch
        from torch.utils.data import DataLoader, default_collate

        @dataclass
        class Noise:
            seed: int = 0

            def __call__(self, rows):
                return self._noisy(default_collate(rows))

            def _noisy(self, batch):
                stream = np.random.default_rng(self.seed)
                return batch + torch.as_tensor(stream.normal(size=batch.shape))
        """,
        ((14, REPEATED.format("np.random.default_rng(self.seed)")),),
    ),
    Invalid(
        "a function for a loader, of a closure, and the rounds of a loop",
        """
        import torch
        from torch.utils.data import DataLoader

        def loader(data, seed):
            def shuffled(rows):
                g = torch.Generator()
                g.manual_seed(seed)
                return [rows[i] for i in torch.randperm(len(rows), generator=g)]
            return DataLoader(data, 8, collate_fn=shuffled)

        def train(model, batches, optimizer):
            for x in batches:
                g = torch.Generator(device=x.device).manual_seed(0)
                loss = model(x + torch.randn(x.shape, generator=g)).mean()
                loss.backward()
                optimizer.step()
        """,
        (
            (7, REPEATED.format("g.manual_seed(seed)")),
            (13, REPEATED.format("torch.Generator(device=x.device).manual_seed(0)")),
        ),
    ),
    Invalid(
        "the order of a loader and the draws of a sampler",
        """
        import torch
        from torch.utils import data
        from torch.utils.data import WeightedRandomSampler

        class Rows:
            def batches(self, size, shuffle=True):
                stream = torch.Generator()
                stream.manual_seed(17)
                return data.DataLoader(self.rows, size, shuffle=shuffle, generator=stream)

            def keep(self):
                self.draws = torch.Generator()
                self.draws.manual_seed(3)

            def drawn(self):
                return data.RandomSampler(self.rows, generator=self.draws)

            def balanced(self, weights):
                return WeightedRandomSampler(weights, 64, generator=torch.Generator().manual_seed(5))
        """,
        (
            (8, ORDERED.format("stream.manual_seed(17)", "DataLoader")),
            (13, ORDERED.format("self.draws.manual_seed(3)", "RandomSampler")),
            (19, ORDERED.format("torch.Generator().manual_seed(5)", "WeightedRandomSampler")),
        ),
    ),
    Invalid(
        "an attribute of the caller's object",
        """
        import torch

        class Wrapper:
            def wrap(self, batches):
                order = batches.sampler
                if not order.generator:
                    stream = torch.Generator()
                    stream.manual_seed(1234)
                    order.generator = stream
                return batches
        """,
        ((8, MESSAGE.format("stream.manual_seed(1234)", "order.generator")),),
    ),
    Invalid(
        "a parameter",
        """
        import torch

        SEED = 7

        def noise(x, generator=None):
            if generator is None:
                generator = torch.Generator(device=x.device).manual_seed(SEED)
            return torch.randn(x.shape, generator=generator)
        """,
        ((7, MESSAGE.format("torch.Generator(device=x.device).manual_seed(SEED)", "generator")),),
    ),
    Invalid(
        "the default of a lookup",
        """
        import torch

        def loader(data, **options):
            stream = options.get("generator", torch.Generator().manual_seed(3407))
            return make(data, stream)
        """,
        ((4, MESSAGE.format("torch.Generator().manual_seed(3407)", "generator")),),
    ),
    Invalid(
        "after or, and in a conditional",
        """
        import random
        import numpy

        class Sampler:
            def __init__(self, rng=None, numpy_rng=None):
                self.rng = rng or random.Random(0)
                self.other = numpy.random.default_rng(0) if numpy_rng is None else numpy_rng
        """,
        (
            (6, MESSAGE.format("random.Random(0)", "rng")),
            (7, MESSAGE.format("numpy.random.default_rng(0)", "numpy_rng")),
        ),
        options={"every_library": True},
    ),
)
