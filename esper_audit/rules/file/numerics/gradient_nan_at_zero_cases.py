"""The cases of `gradient-nan-at-zero`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = "the gradient of `{}` is infinite at 0, which {} reaches: add an epsilon inside"

VALID = (
    Valid(
        "a difference of two elements, a learned power above zero, and one whose root is not taken",
        """
        import torch
        from torch import nn

        class Pool(nn.Module):
            def __init__(self, start):
                super().__init__()
                self.p = nn.Parameter(torch.tensor(start))

            def forward(self, maps):
                distance = ((maps[..., 0] - maps[..., 1]).square() + (maps[..., 2] - maps[..., 3]).square()).sqrt()
                powered = maps.clamp(min=1e-6).pow(self.p).mean((-2, -1)).pow(1 / self.p)
                return distance.mean() + powered.mean() + torch.relu(maps).pow(self.p).mean()
        """,
    ),
    Valid(
        "an epsilon, a positive clamp, the norm of torch",
        """
        import torch
        def contrastive_loss(a, b, eps=1e-8):
            one = torch.sqrt(((a - b) ** 2).sum(1) + eps)
            two = ((a - b) ** 2).sum(1).clamp(min=1e-12).sqrt()
            three = (a - b).norm(dim=1)
            return one + two + three
        """,
    ),
    Valid(
        "no gradients",
        """
        import torch
        from torch import nn
        class Net(nn.Module):
            @torch.no_grad()
            def forward(self, x):
                return (x**2).sum().sqrt()
        class Other(nn.Module):
            def forward(self, x):
                with torch.inference_mode():
                    size = x.pow(2).mean().sqrt()
                return x / size, (x.detach() ** 2).sum().sqrt()
        """,
    ),
    Valid(
        "a focal loss whose exponent is 1 or more, or guarded",
        """
        import torch
        def focal(logits, gamma=2.0, alpha=0.5):
            p = torch.sigmoid(logits)
            return (1 - p) ** gamma + p.pow(2) + torch.pow(p + 1e-6, alpha)
        """,
    ),
    Valid(
        "a function that no module and no loss reaches, and numbers",
        """
        import torch
        from torch import nn
        def distance(a, b):
            return torch.sqrt(((a - b) ** 2).sum(-1))
        class Net(nn.Module):
            def forward(self, x):
                return x * torch.sqrt(self.sigma**2 + self.width**2)
        """,
    ),
    Valid(
        "the energy of a whole window or signal, which is 0 only in silence",
        """
        import torch
        from torch import nn
        class Level(nn.Module):
            def forward(self, wave, window):
                return self.scaled(wave) / window.pow(2.0).sum().sqrt()
            def scaled(self, wave):
                return wave / (wave.pow(2).mean().pow(0.5) + torch.mean(wave**2).sqrt())
        """,
    ),
    Valid(
        "a relu, whose gradient at 0 is 0, and roots that nothing returned is computed from",
        """
        import torch
        import torch.nn.functional as F
        def contrast_loss(a, b, limit):
            gap = torch.sqrt(((a - b) ** 2).sum(1))
            assert (gap < limit).all()
            print(gap)
            near = torch.where(gap < limit, a, b)
            _, chosen = F.max_pool1d(near, 2, return_indices=True)
            return near[:, chosen].relu().sqrt()
        """,
    ),
    Valid(
        "neighbours of one set, coordinates, deviations, exponentials, a bounded schedule",
        """
        import torch
        from torch import nn
        class Net(nn.Module):
            def forward(self, places, i, j, level, steps):
                gaps = (places[i] - places[j]).pow(2).sum(-1).sqrt()
                middle = torch.mean(steps, dim=-1)
                spread = (steps - middle).square().mean().sqrt()
                grid = torch.linspace(0, 1, 9)
                radius = torch.sqrt((grid - 0.5) ** 2)
                size = torch.exp(steps).pow(2).sum(-1).sqrt()
                return gaps, spread, radius, size, level.sigmoid().sqrt()
        """,
    ),
    Valid(
        "a sum with the square of a number",
        """
        import torch
        from torch import nn
        class Spread(nn.Module):
            def forward(self, k: torch.Tensor, width: int):
                return torch.sqrt(4 * k**2 + (width - 1) ** 2)
        """,
    ),
)
INVALID = (
    Invalid(
        "neighbours of a flat picture, and the root of a learned power",
        """
        import torch
        from torch import nn
        from torch.nn import functional as F

        class Pool(nn.Module):
            def __init__(self, start):
                super().__init__()
                self.p = nn.Parameter(torch.ones(1) * start)

            def forward(self, maps):
                return F.avg_pool2d(maps.clamp(min=0) ** self.p, maps.shape[-2:]) ** (1 / self.p)

        def roughness_loss(x):
            right = x[:, :, :-1, 1:] - x[:, :, :-1, :-1]
            down = x[:, :, 1:, :-1] - x[:, :, :-1, :-1]
            return torch.sqrt(right**2 + down**2).sum()
        """,
        (
            (
                11,
                MESSAGE.format(
                    "F.avg_pool2d(maps.clamp(min=0) ** self.p, maps.shape[-2:]) ** (1 / self.p)",
                    "a learned power of a relu",
                ),
            ),
            (16, MESSAGE.format("torch.sqrt(right**2 + down**2)", "a square")),
        ),
    ),
    Invalid(
        "powers of a probability",
        """
        import torch
        def weighted(scores, labels, power=0.5):
            chance = scores.sigmoid()
            easy = torch.pow(1.0 - chance, power) * labels
            return easy + chance**0.25 * (1 - labels)
        """,
        (
            (4, MESSAGE.format("torch.pow(1.0 - chance, power)", "1 minus a sigmoid")),
            (5, MESSAGE.format("chance**0.25", "a sigmoid")),
        ),
    ),
    Invalid(
        "a focal weight of a cross entropy, with a literal in a variable",
        """
        import torch
        import torch.nn.functional as F
        def focal(logits, target):
            power = 0.5
            ce = F.cross_entropy(logits, target, reduction="none")
            chance = torch.exp(-ce)
            return ((1 - chance) ** power * ce).mean()
        """,
        (
            (
                7,
                MESSAGE.format(
                    "(1 - chance) ** power", "1 minus the exponential of a log-probability"
                ),
            ),
        ),
    ),
    Invalid(
        "the default of the constructor",
        """
        import torch
        class Focal(torch.nn.Module):
            def __init__(self, gamma: float = 0.3):
                super().__init__()
                self.gamma = gamma
            def forward(self, logits):
                p = torch.softmax(logits, dim=-1)
                return (1 - p).pow(self.gamma)
        """,
        ((8, MESSAGE.format("(1 - p).pow(self.gamma)", "1 minus a softmax")),),
    ),
    Invalid(
        "distances in a loss",
        """
        import torch
        import torch.nn.functional as F
        def triplet_loss(a, b, c):
            near = (a - b).pow(2).sum(-1).sqrt()
            squared = (a * a).sum(1) + (c * c).sum(1) - 2 * (a * c).sum(1)
            far = torch.sqrt(squared.clamp(min=0))
            return F.relu(near - far) + torch.sqrt(F.mse_loss(a, b))
        """,
        (
            (4, MESSAGE.format("(a - b).pow(2).sum(-1).sqrt()", "a square")),
            (6, MESSAGE.format("torch.sqrt(squared.clamp(min=0))", "a clamp at 0")),
            (7, MESSAGE.format("torch.sqrt(F.mse_loss(a, b))", "a mean squared error")),
        ),
    ),
    Invalid(
        "a magnitude in a helper that forward calls",
        """
        import torch
        from torch import nn
        def magnitude(z):
            return (z.real**2 + z.imag**2) ** 0.5
        class Spectrum(nn.Module):
            def forward(self, x):
                return magnitude(torch.fft.rfft(x))
        """,
        ((4, MESSAGE.format("(z.real**2 + z.imag**2) ** 0.5", "a square")),),
    ),
    Invalid(
        "a magnitude of the parts that functions of torch give",
        """
        import torch
        def spectral_loss(x):
            waves = torch.fft.rfft(x)
            return torch.sqrt(torch.real(waves) ** 2 + torch.imag(waves) ** 2).mean()
        """,
        (
            (
                4,
                MESSAGE.format(
                    "torch.sqrt(torch.real(waves) ** 2 + torch.imag(waves) ** 2)", "a square"
                ),
            ),
        ),
    ),
    Invalid(
        "every root, with the option `every_root`",
        """
        import torch
        from torch import nn
        class Net(nn.Module):
            def forward(self, places, i, j, level):
                gaps = (places[i] - places[j]).pow(2).sum(-1).sqrt()
                return gaps, level.sigmoid().sqrt()
        """,
        (
            (5, MESSAGE.format("(places[i] - places[j]).pow(2).sum(-1).sqrt()", "a square")),
            (6, MESSAGE.format("level.sigmoid().sqrt()", "a sigmoid")),
        ),
        options={"every_root": True},
    ),
)
