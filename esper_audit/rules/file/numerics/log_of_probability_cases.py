"""The cases of `log-of-probability`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

SOFTMAX = "`{}` takes the log of a softmax, which underflows to 0: use `log_softmax`"
SIGMOID = "`{}` takes the log of a sigmoid, which underflows to 0: use `logsigmoid`"
COMPLEMENT = "`{}` takes the log of 1 minus a sigmoid, which rounds to 0: use `logsigmoid(-x)`"
REST = "`{}` takes the log of 1 minus {}, which rounds to 0: clamp it first"

VALID = (
    Valid(
        "a quotient by what is no probability, and of clamped ones",
        """
        import torch
        def tempered(a, b, scale):
            p, q = torch.softmax(a, -1), torch.softmax(b, -1)
            p, q = p.clamp_min(1e-8), q.clamp_min(1e-8)
            return torch.log(p / q) + torch.log(b / scale)
        """,
    ),
    Valid(
        "an epsilon, a clamp, a maximum",
        """
        import torch
        def loss(x, y):
            p = x.softmax(-1)
            a = torch.log(p + 1e-8)
            b = p.clamp(min=1e-6).log()
            c = torch.log(torch.maximum(p, y))
            return a + b + c
        """,
    ),
    Valid(
        "a sum over steps that is only shown",
        """
        import torch
        def learn(steps, target):
            loss, entropy = 0.0, 0.0
            for logits in steps:
                p = torch.softmax(logits, -1)
                entropy += -(p * p.log()).sum(-1).mean()
                loss = loss + (p - target).square().mean()
            first = torch.softmax(steps[0], -1)
            start = -(first * first.log()).sum(-1)
            loss.backward()
            return {"entropy": entropy.item() / len(steps), "start": start.mean().item()}
        """,
    ),
    Valid(
        "a probability that was clamped, shifted or repaired before",
        """
        import torch
        def loss(x, y):
            p = torch.sigmoid(x)
            p = p.clamp(1e-6, 1 - 1e-6)
            q = torch.sigmoid(y)
            q += 1e-7
            r = torch.softmax(y, 0)
            r[r == 0] = 1e-9
            return torch.log(p) + torch.log(1 - p) + q.log() + r.log()
        """,
    ),
    Valid(
        "the probability of what was drawn by it",
        """
        import torch
        def score(logits):
            probs = torch.softmax(logits, dim=-1)
            tokens = torch.multinomial(probs, 1)
            chosen = torch.gather(probs, 1, tokens)[..., 0]
            return -torch.log(chosen)
        def confidence(logits):
            probs = torch.softmax(logits, dim=-1)
            drawn = torch.distributions.Categorical(probs=probs).sample()
            return torch.log(probs.gather(-1, drawn.unsqueeze(-1)))
        @register(aten._log_softmax, registry=TABLE)
        def decomposed(x, dim):
            return torch.log(torch.softmax(x, dim))
        def inverse(z, h):
            scale = torch.sigmoid(h)
            return z / scale, -torch.log(scale).sum()
        def ranked(near, far):
            near = torch.acos(near)
            far = torch.acos(far)
            return -torch.log(torch.sigmoid(far - near)).sum()
        def contrast(x, y, noise):
            def score(a, b):
                return (torch.nn.functional.normalize(a, dim=-1) * b).sum(-1)
            near = score(x, y)
            far = score(noise, y)
            return -torch.log(torch.sigmoid(near - far)).mean()
        def table():
            return torch.log(torch.sigmoid(torch.arange(-6.0, 6.0, 0.1)))
        def sampled(logits):
            return torch.softmax(logits, -1).log_()
        def distilled(a, b):
            return -torch.log(torch.sigmoid(torch.cosine_similarity(a, b, dim=-1))).mean()
        """,
    ),
    Valid(
        "a number that is shown",
        """
        import torch
        def details(scores, chosen):
            return torch.softmax(scores, -1)[chosen].log().view(-1).cpu().numpy()
        """,
    ),
    Valid(
        "a value that is computed from itself",
        """
        import torch
        def flip(p, n):
            for _ in range(n):
                p = 1 - p
            return torch.log(p)
        """,
    ),
    Valid(
        "log_softmax, the log of something else, a log that `where` replaces",
        """
        import math
        import numpy as np
        import torch
        def loss(self, x, p):
            a = torch.log_softmax(x, 1) + torch.log(p) + math.log(2) + np.log(3)
            s = x.softmax(1)
            terms = s * s.log()
            entropy = torch.where(s > 0, terms, 0.0)
            return a + entropy + torch.where(s > 0, torch.log(s), 0.0)
        """,
    ),
)

INVALID = (
    Invalid(
        "an entropy that is shown and part of the loss, and one that is returned",
        """
        import torch
        def learn(logits, target, weight):
            p = torch.softmax(logits, -1)
            entropy = -(p * p.log()).sum(-1).mean()
            print(entropy.item())
            loss = (p - target).square().mean() - weight * entropy
            loss.backward()
        def spread(logits):
            p = torch.softmax(logits, -1)
            total = -(p * p.log()).sum(-1)
            print(total.mean().item())
            return total
        """,
        ((4, SOFTMAX.format("p.log()")), (10, SOFTMAX.format("p.log()"))),
    ),
    Invalid(
        "a network of an annotated argument, and a quotient of two",
        """
        import torch
        from torch import nn
        class Actor(nn.Module):
            def forward(self, x):
                return self.body(x).softmax(-1)
        def entropy(actor: Actor, x):
            p = actor(x)
            return -(p * p.log()).sum(-1)
        def divergence(a, b):
            p, q = soft(a), soft(b)
            return (p * torch.log(p / q)).sum(-1)
        def soft(x):
            return torch.softmax(x, dim=1)
        """,
        (
            (8, SOFTMAX.format("p.log()")),
            (11, SOFTMAX.format("torch.log(p / q)")),
        ),
    ),
    Invalid(
        "a softmax by method and by function",
        """
        import torch
        from torch.nn import functional as F
        def loss(net, x, y):
            probs = F.softmax(net(x), dim=-1)
            picked = probs.gather(1, y)
            return -picked.log().mean() + torch.log(x.softmax(0)[0])
        """,
        (
            (6, SOFTMAX.format("picked.log()")),
            (6, SOFTMAX.format("torch.log(x.softmax(0)[0])")),
        ),
        columns=(13, 35),
    ),
    Invalid(
        "both sides of a cross entropy by hand",
        """
        import torch
        def bce(x, y):
            p = torch.sigmoid(x)
            return -(y * torch.log(p) + (1 - y) * torch.log(1 - p))
        """,
        (
            (4, SIGMOID.format("torch.log(p)")),
            (4, COMPLEMENT.format("torch.log(1 - p)")),
        ),
    ),
    Invalid(
        "a module, and a helper one call away",
        """
        import torch
        from torch import nn
        class Policy(nn.Module):
            def __init__(self):
                self.net = nn.Linear(4, 2)
                self.normalise = nn.Softmax(dim=-1)
            def act(self, x):
                return self.normalise(self.net(x))
            def entropy(self, x):
                p = self.act(x)
                return -(p * p.log()).sum(-1)
        """,
        ((11, SOFTMAX.format("p.log()")),),
    ),
    Invalid(
        "a discriminator, a layer of the same file, a helper that receives it",
        """
        import torch
        from torch import nn
        class Head(nn.Module):
            def forward(self, x):
                return torch.sigmoid(self.out(x))
        def surprise(p):
            return -torch.log(p)
        class Gan(nn.Module):
            def __init__(self):
                self.judge = nn.Sequential(nn.Linear(8, 1), nn.Sigmoid())
                self.head = Head()
            def loss(self, real, fake):
                chance = torch.exp(-nn.functional.cross_entropy(real, fake, reduction="none"))
                first = torch.log(self.judge(real)) + torch.log1p(-self.judge(fake))
                second = self.head(fake).log() + surprise(real.softmax(-1))
                return first + second + torch.log(1 - chance)
        """,
        (
            (7, SOFTMAX.format("torch.log(p)")),
            (14, SIGMOID.format("torch.log(self.judge(real))")),
            (14, COMPLEMENT.format("torch.log1p(-self.judge(fake))")),
            (15, SIGMOID.format("self.head(fake).log()")),
            (
                16,
                REST.format("torch.log(1 - chance)", "the exponential of a log-probability"),
            ),
        ),
    ),
    Invalid(
        "only one branch guards",
        """
        import torch
        def loss(x, stable):
            p = torch.softmax(x, 1)
            if stable:
                p = p + 1e-6
            return torch.log(p)
        """,
        ((6, SOFTMAX.format("torch.log(p)")),),
    ),
)
