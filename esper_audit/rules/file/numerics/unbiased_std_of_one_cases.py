"""The cases of `unbiased-std-of-one`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` is NaN for {}, and an epsilon does not help: pass `correction=0` or leave that case out"
)

VALID = (
    Valid(
        "unpacked rows of a whole rollout, and the biased estimate of shuffled ones",
        """
        import torch

        class Update:
            def loss(self, obs, gains):
                return ((gains - gains.mean()) / (gains.std() + 1e-8)).mean()

            def other(self, obs, gains):
                return ((gains - gains.mean()) / (gains.std(unbiased=False) + 1e-8)).mean()

            def run(self, rollout, n):
                self.loss(*(rollout[k] for k in ("obs", "gains"))).backward()
                for rows in torch.randperm(n).split(64):
                    self.other(*(rollout[k][rows] for k in ("obs", "gains"))).backward()
        """,
    ),
    Valid(
        "a statistic of rows whose first axis is unknown, and one with the biased estimate",
        """
        import torch
        from torch import nn

        class Spread(nn.Module):
            def forward(self, rows, maps):
                n, c, h, w = maps.shape
                spread = maps.std(0, unbiased=False).mean() + rows.std(0).mean()
                return torch.cat([maps, spread.expand(n, 1, h, w)], 1)
        """,
    ),
    Valid(
        "a channel of an array of numpy",
        """
        import numpy as np

        def normalise(stack: np.ndarray):
            channel = stack[0]
            mask = channel != 0
            return (channel[mask] - channel[mask].mean()) / channel[mask].std()
        """,
    ),
    Valid(
        "the biased estimate",
        """
        import torch
        def normalise(rewards, x):
            returns = torch.tensor(rewards)
            returns = (returns - returns.mean()) / (returns.std(unbiased=False) + 1e-8)
            return returns, (x - x.mean(0)) / (x.std(0, correction=0) + 1e-5)
        """,
    ),
    Valid(
        "a test of the size",
        """
        import torch
        def normalise(rewards, advantages):
            returns = torch.tensor(rewards)
            if len(returns) > 1:
                returns = (returns - returns.mean()) / (returns.std() + 1e-8)
            if advantages.shape[0] <= 1:
                return returns, advantages
            return returns, (advantages - advantages.mean(0)) / advantages.std(0)
        """,
    ),
    Valid(
        "pictures, features, statistics that divide nothing",
        """
        import torch
        def normalise(image, features, batch):
            one = (image - image.mean()) / (image.std() + 1e-8)
            two = (features - features.mean(-1)) / features.std(-1)
            return one, two, batch.std(0).mean(), batch / batch.std(0)
        """,
    ),
    Valid(
        "the scores of an evaluation",
        """
        import torch
        def rank(query, documents):
            scores = []
            for document in documents:
                with torch.no_grad():
                    scores.append(torch.cosine_similarity(query, document).max())
            scores = torch.stack(scores)
            return (scores - scores.mean()) / (scores.std() + 1e-6)
        """,
    ),
    Valid(
        "an array of numpy, and a whole table outside a loss",
        """
        import numpy as np
        import torch
        def scaled(picture: np.ndarray, labels):
            inside = labels > 0
            return (picture[inside] - picture[inside].mean()) / picture[inside].std()
        def standardised(table):
            return (table - torch.mean(table, dim=0)) / torch.std(table, dim=0)
        """,
    ),
    Valid(
        "the first axis of a layer",
        """
        import torch
        from torch import nn
        class Cmvn(nn.Module):
            def forward(self, frames):
                centred = frames - frames.mean(dim=0, keepdim=True)
                return (frames - frames.mean(dim=0, keepdim=True)) / (1e-8 + frames.std(dim=0, keepdim=True)), centred
        """,
    ),
)
INVALID = (
    Invalid(
        "shuffled rows that a comprehension hands over",
        """
        import torch

        class Update:
            def loss(self, obs, gains):
                return ((gains - gains.mean()) / (gains.std() + 1e-8)).mean()

            def run(self, rollout, n):
                for rows in torch.randperm(n).split(64):
                    self.loss(*(rollout[k][rows] for k in ("obs", "gains"))).backward()
        """,
        ((5, MESSAGE.format("gains.std()", "a mini-batch of one")),),
    ),
    Invalid(
        "shuffled rows in a list and in an unpacked tuple, of functions",
        """
        import torch

        def loss(obs, gains):
            centred = gains - gains.mean()
            return (centred / (gains.std() + 1e-8)).mean()

        def other(obs, scores, weight=1.0):
            return ((scores - scores.mean()) / scores.std()).mean()

        def run(data, n, size):
            for rows in torch.randperm(n).chunk(n // size):
                loss(*[part[rows] for part in data]).backward()
                other(data[0], *(data[1][rows], 2.0)).backward()
        """,
        (
            (5, MESSAGE.format("gains.std()", "a mini-batch of one")),
            (8, MESSAGE.format("scores.std()", "a mini-batch of one")),
        ),
    ),
    Invalid(
        "a statistic over a batch of pictures",
        """
        import torch
        from torch import nn

        class Spread(nn.Module):
            def forward(self, x):
                b, c, h, w = x.size()
                extra = x.var(dim=0).add(1e-8).sqrt().mean()
                return torch.cat([x, extra.expand(b, 1, h, w)], 1)
        """,
        ((7, MESSAGE.format("x.var(dim=0)", "a batch of one")),),
    ),
    Invalid(
        "the returns of an episode",
        """
        import torch
        def finish(rewards, eps):
            returns = []
            for reward in rewards[::-1]:
                returns.insert(0, reward)
            returns = torch.tensor(returns)
            returns = (returns - returns.mean()) / (returns.std() + eps)
            return returns
        """,
        ((7, MESSAGE.format("returns.std()", "a list of one")),),
    ),
    Invalid(
        "a mini-batch of a policy update",
        """
        import torch
        def update(self, buffer, inds, size, minibatch, advantages):
            for rollout in buffer.get(self.batch_size):
                adv = rollout.advantages
                adv = (adv - adv.mean()) / (adv.std() + 1e-8)
            for start in range(0, size, minibatch):
                chosen = inds[start : start + minibatch]
                part = advantages[chosen]
                part = (part - part.mean()) / (part.std() + 1e-8)
        """,
        (
            (5, MESSAGE.format("adv.std()", "a mini-batch of one")),
            (9, MESSAGE.format("part.std()", "a mini-batch of one")),
        ),
    ),
    Invalid(
        "a helper that is given a mini-batch",
        """
        import torch
        def normalised(values):
            return (values - values.mean()) / (values.std() + 1e-8)
        def update(buffer, size):
            for rollout in buffer.get(size):
                yield normalised(rollout.advantages)
        """,
        ((3, MESSAGE.format("values.std()", "a mini-batch of one")),),
    ),
    Invalid(
        "what a mask selects, with the parts in variables",
        """
        import torch
        def whiten(values, scored):
            is_valid = scored >= 0
            chosen = values[is_valid]
            mean = chosen.mean()
            deviation = torch.std(chosen)
            return (chosen - mean) / (deviation + 1e-8)
        """,
        ((6, MESSAGE.format("torch.std(chosen)", "a mask with one hit")),),
    ),
    Invalid(
        "a batch of one",
        """
        class Twins:
            def loss(self, a, b):
                a = (a - a.mean(dim=0)) / a.std(dim=0)
                b = (b - b.mean(0)) / b.std(0).add(1e-6)
                return a.T @ b
        """,
        (
            (3, MESSAGE.format("a.std(dim=0)", "a batch of one")),
            (4, MESSAGE.format("b.std(0)", "a batch of one")),
        ),
    ),
    Invalid(
        "a helper makes the tensor",
        """
        import torch
        def gather(self):
            return torch.stack(self.losses)
        def score():
            losses = gather(memory)
            centred = losses - losses.mean()
            return (losses - losses.mean()) / losses.std(), centred
        """,
        ((7, MESSAGE.format("losses.std()", "a list of one")),),
    ),
)
