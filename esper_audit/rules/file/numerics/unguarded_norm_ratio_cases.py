"""The cases of the rule `unguarded-norm-ratio`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

UNBOUNDED = "is unbounded: if `{}` is 0, only the epsilon keeps it finite"
SEED_RATIO = f"`seed_norm / (host_norm + {{}})` {UNBOUNDED.format('host_norm')}"
NO_PARAMETERS = "`{0} / {1}` divides by `{1}`, which is 0 for a module without parameters"
UNGUARDED = "`{}` divides by the norm `{}` without a guard"

VALID = (
    Valid(
        "a share of the parameters, what is divided by a count, and rows of weights",
        """
        import torch


        def trained(model):
            total = sum(p.numel() for p in model.parameters())
            free = sum(p.numel() for p in model.parameters() if p.requires_grad)
            return free / total


        def mean_gradient(total, seed):
            count = sum(p.numel() for p in seed.parameters())
            return total / count


        def nearest(rows: torch.Tensor):
            rows = rows / torch.linalg.norm(rows, dim=-1, keepdim=True)
            return rows @ rows.T


        def main(path):
            model = load(path)
            weights = model.embedding.weight.data
            return nearest(weights)
        """,
    ),
    Valid(
        "a relative error through a name, and the norm of a window that the object holds",
        """
        import torch


        def verify(mine, out):
            gap = (mine.float() - out.float()).abs()
            return gap.norm() / out.float().norm()


        class Spectrum:
            def forward(self, frames):
                return frames.norm(dim=-1) / torch.norm(self.h)
        """,
    ),
    Valid(
        "a product by the norms of its factors, and rows that nothing declares as tensors",
        """
        import torch


        def composition(left, right):
            a, b = left.collapse(), right.collapse()
            low = a.norm(dim=(-2, -1))
            high = b.norm(dim=(-2, -1))
            return (a @ b).norm(dim=(-2, -1)) / low / high


        def similarity(left, right):
            rows = left / left.norm(dim=1)[:, None]
            return rows @ right.T
        """,
    ),
    Valid(
        "rows of a forward with a lower bound, and rows that are only returned",
        """
        import torch
        from torch import nn


        class Prototypes(nn.Module):
            def forward(self, rows, keys):
                unit = rows / rows.norm(dim=-1, keepdim=True).clamp_min(1e-6)
                return 16.0 * unit @ keys.t(), keys / keys.norm(dim=-1, keepdim=True)
        """,
    ),
    Valid(
        "a tensor before and after something is added, and a share of its own total",
        """
        import torch


        def rescaled(x, dx, model):
            total = sum(p.numel() for p in model.parameters() if p.requires_grad)
            zeros = sum((p == 0).sum() for p in model.parameters())
            share = (total - zeros) / total
            return x + dx * share * (torch.norm(x) / torch.norm(x + dx))
        """,
    ),
    Valid(
        "a share in percent",
        """
        import logging


        def summary(model):
            trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
            total = sum(p.numel() for p in model.parameters())
            logging.info("trained: %.1f %%", trained * 100.0 / total)
        """,
    ),
    Valid(
        "rows that nothing is multiplied with",
        """
        def unit_rows(table):
            norm = torch.norm(table, 2, 1, True)
            return torch.div(table, norm)
        """,
    ),
    Valid(
        "a ratio by which a step is scaled",
        """
        def apply(step, update, grad, dim):
            scale = torch.norm(update, dim=dim) / (torch.norm(grad, dim=dim) + 1e-8)
            if dim == 1:
                scale = scale.unsqueeze(1)
            step.mul_(scale)
        """,
    ),
    Valid(
        "the size of an update beside that of the parameter",
        """
        def sizes(model, updates):
            found = {}
            for name, param in model.named_parameters():
                found[name] = torch.norm(updates[name]) / (torch.norm(param.view(-1)).cpu() + 1e-8)
            return found
        """,
    ),
    Valid(
        "a relative error by the norms of a backend",
        """
        def relative_error(true, found, backend):
            return backend.norm(true - found, axis=1) / backend.norm(true, axis=1)
        """,
    ),
    Valid(
        "the sides of a shape",
        """
        def grid(n, first, second):
            wide = torch.linalg.norm(first, dim=1)
            high = torch.linalg.norm(second, dim=1)
            return n * wide / high, n * high / wide
        """,
    ),
    Valid(
        "a norm that each caller tests",
        """
        def solve(x, dx):
            dx_norm = dx.norm()
            if dx_norm == 0:
                raise ValueError("no direction")
            return _search(x, dx)


        def _search(x, dx):
            return x.norm() / dx.norm()
        """,
    ),
    Valid(
        "an early return for a host without gradient, and a clamp",
        """
        def ratio(seed_norm, host_norm, factor):
            if host_norm < GRADIENT_EPSILON:
                return 0.0
            return min(10.0, seed_norm / host_norm * factor)
        """,
    ),
    Valid(
        "an upper clamp of a value computed from the ratio",
        """
        def trust(w, g):
            raw = w.norm() / (g.norm() + 1e-8)
            scaled = raw * 0.5
            return scaled.clamp(max=10.0)
        """,
    ),
    Valid(
        "a lower clamp of the norm",
        """
        def ratio(seed_norm, host):
            host_norm = torch.linalg.vector_norm(host).clamp(min=1e-3)
            return seed_norm / host_norm
        """,
    ),
    Valid(
        "a trust ratio chosen by torch.where",
        """
        def step(p, g):
            w_norm, g_norm = p.norm(2.0), g.norm(2.0)
            trust = torch.where(g_norm > 0, w_norm / g_norm, 1.0)
            return trust
        """,
    ),
    Valid(
        "a clip coefficient that is compared",
        """
        def clip(grads, max_norm, total_norm):
            coefficient = max_norm / (total_norm + 1e-6)
            if coefficient < 1:
                torch._foreach_mul_(grads, coefficient)
        """,
    ),
    Valid(
        "a vector and its own norm",
        """
        def unit(x):
            return x / (x.norm() + 1e-8)
        """,
    ),
    Valid(
        "embeddings and their own norm, by a helper and by a variable",
        """
        def encode(model, pixels, tokens):
            image, text = model.image(pixels), model.text(tokens)
            text_norm = torch.norm(text, dim=-1, keepdim=True)
            return image / _vector_norm(image), text / text_norm
        """,
    ),
    Valid(
        "weight normalisation",
        """
        def weight(g, v):
            norm = v.norm(2, keep, keepdim=True)
            return v * (g / norm.to(g.dtype))
        """,
    ),
    Valid(
        "a perturbation scaled to the gradients it multiplies",
        """
        def perturb(self, rho):
            grad_norm = self.grad_norm()
            scale = rho / (grad_norm + self.eps)
            for p in self.params:
                p.add_(p.grad * scale)
        """,
    ),
    Valid(
        "a test of the measured tensor",
        """
        def derivative(f, p, h):
            if np.array_equal(p, np.zeros_like(p)):
                return 0.0
            return f(h / np.linalg.norm(p))
        """,
    ),
    Valid(
        "an epsilon that is large enough to be intended",
        """
        def score(e, x_norm):
            return e / (1.0 + x_norm), e / (x_norm + 0.1)
        """,
    ),
    Valid(
        "a share of all parameters, and a mean over elements",
        """
        def show(model, loss):
            all_params = sum(p.numel() for p in model.parameters())
            return 100 * trainable / all_params, loss.sum() / loss.numel()
        """,
    ),
    Valid(
        "a decibel",
        """
        def sqnr(x, y):
            return 20 * torch.log10(torch.norm(x) / torch.norm(x - y))
        """,
    ),
    Valid(
        "a name that its assignment shows to be no norm",
        """
        def scale(q, width):
            norm = math.sqrt(width)
            return q / norm
        """,
    ),
    Valid(
        "a magnitude over the norm of a weight, which is weight normalisation",
        """
        def forward(self, x, magnitude):
            norm = self.get_weight_norm(self.weight).detach()
            size = torch.linalg.norm(self.layer.weight, dim=1)
            return (magnitude / norm).view(1, -1) * x + magnitude / size
        """,
    ),
    Valid(
        "a hyperparameter with the name of a norm",
        """
        def scale(x, norm=2.0, n_params=3):
            return x / norm + x / n_params


        class Loss:
            def forward(self, x):
                return x / self.norm
        """,
    ),
    Valid(
        "a norm that is computed once, or of constants",
        """
        class Filter:
            def __init__(self, taps, gain):
                self.gain = gain / torch.norm(taps)

            def forward(self, x):
                window = torch.hann_window(400)
                return x / window.norm() + x / KERNEL.norm()
        """,
    ),
    Valid(
        "the norm of a learned parameter, and a difference over the norm of the sum",
        """
        def normalise_(p: nn.Parameter, dim: int = 1):
            p.div_(torch.norm(p, dim=dim, keepdim=True))


        def update(a, b, tiny):
            step = a - b
            step /= (a + b).norm(float("inf")) + tiny
            return step
        """,
    ),
    Valid(
        "geometry",
        """
        import numpy as np


        def turn(point, centre, step):
            return step / np.linalg.norm(point - centre)


        def rotation_axis(skew, angle):
            return skew / torch.norm(angle, dim=-1, keepdim=True)


        class CameraRays:
            def directions(self, d, focal):
                return focal / d.norm(dim=-1, keepdim=True)
        """,
    ),
    Valid(
        "a helper of the file that clamps what is measured",
        """
        def spectrum(x):
            return torch.stft(x, 512).abs().clamp(min=1e-5)


        def convergence(a, b):
            reference = spectrum(b)
            return torch.norm(spectrum(a) - reference) / torch.norm(reference)
        """,
    ),
    Valid(
        "tests of the values of the measured tensor",
        """
        def ratio(seed, host):
            if not host.any() or host.abs().max() == 0:
                return 0.0
            return torch.norm(seed) / torch.norm(host)
        """,
    ),
    Valid(
        "rows of a layer over their own norm, and rows that are tested or bounded",
        """
        class Attention(nn.Module):
            def forward(self, x):
                q = self.to_q(x)
                return q / q.norm(dim=-1, keepdim=True)


        def cosine(a, b):
            a = a / a.norm(dim=1, keepdim=True).clamp_min(1e-8)
            b = b / (b.norm(dim=1, keepdim=True) + 1e-8)
            return a @ b.T


        def kept(rows):
            rows = rows[rows.norm(dim=1) > 0]
            return rows / rows.norm(dim=1, keepdim=True)


        def product(a, b):
            return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1)).clamp(min=1e-8)


        def projected(a, b):
            return torch.nan_to_num((a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1)))
        """,
    ),
    Valid(
        "rows of numpy, points rescaled in place, and a force over a distance",
        """
        import numpy as np
        import torch


        def unit_rows(table):
            return table / np.linalg.norm(table, axis=1, keepdims=True)


        def rescale_rows(points):
            points /= torch.norm(points, dim=1, keepdim=True)


        def attraction(strength, here, there):
            gap = torch.norm(here - there, dim=-1)
            return strength / gap + torch.norm(here) / gap
        """,
    ),
    Valid(
        "relative errors",
        """
        import torch
        def spectral_loss(x, y):
            return torch.norm(y - x, p="fro") / torch.norm(y, p="fro")
        def error(layer, weight):
            rest = weight - layer(weight)
            return torch.norm(rest) / (torch.norm(weight) + 1e-8)
        """,
    ),
)

INVALID = (
    Invalid(
        "an epsilon alone",
        """
        def ratio(seed_norm, host_norm):
            raw_ratio = seed_norm / (host_norm + GRADIENT_EPSILON)
            return raw_ratio
        """,
        ((2, SEED_RATIO.format("GRADIENT_EPSILON")),),
    ),
    Invalid(
        "plain numbers, with the fix of the ticket",
        """
        def ratio(seeds, hosts):
            seed_norm = torch.linalg.vector_norm(torch.stack(seeds)).item()
            host_norm = torch.linalg.vector_norm(torch.stack(hosts)).item()
            return seed_norm / (host_norm + 1e-8)
        """,
        ((4, SEED_RATIO.format("1e-8")),),
        fixed="""
        def ratio(seeds, hosts):
            seed_norm = torch.linalg.vector_norm(torch.stack(seeds)).item()
            host_norm = torch.linalg.vector_norm(torch.stack(hosts)).item()
            return (min(10.0, seed_norm / host_norm) if host_norm > 1e-8 else 0.0)
        """,
    ),
    Invalid(
        "norms of other things by data flow",
        """
        def guidance(a, b):
            size = torch.norm(b, dim=1)
            return torch.exp(-a.norm(dim=1) / size)
        """,
        ((3, "`-a.norm(dim=1) / size` divides by the norm `size` without a guard"),),
    ),
    Invalid(
        "a test of type, shape or device, which is the same for a tensor of zeros",
        """
        def ratio(seed, host):
            if not isinstance(host, Tensor) or host.is_cuda or len(host.shape) != 2:
                raise TypeError(host)
            assert host.shape == seed.shape and host.numel() > 0
            return torch.norm(seed) / torch.norm(host)


        def share(seed, host):
            size = host.norm()
            if size.dim() == 0 and torch.is_tensor(size) and size.requires_grad:
                return seed.norm() / size
            return seed.norm() / size.item()
        """,
        (
            (5, UNGUARDED.format("torch.norm(seed) / torch.norm(host)", "torch.norm(host)")),
            (11, UNGUARDED.format("seed.norm() / size", "size")),
            (12, UNGUARDED.format("seed.norm() / size.item()", "size.item()")),
        ),
    ),
    Invalid(
        "a helper of the file that returns a norm, and a division in place",
        """
        def length(x):
            return torch.linalg.vector_norm(x)


        def trust(host, lr):
            lr /= length(host)
            return lr


        def step(host, lr):
            return torch.div(lr, host.norm())
        """,
        (
            (6, UNGUARDED.format("lr /= length(host)", "length(host)")),
            (11, UNGUARDED.format("torch.div(lr, host.norm())", "host.norm()")),
        ),
        options={"any_numerator": True},
    ),
    Invalid(
        "rows of a forward without annotations, scaled before the product",
        """
        import torch
        from torch import nn


        class Prototypes(nn.Module):
            def __init__(self, width, classes):
                super().__init__()
                self.weight = nn.Parameter(torch.randn(classes, width))
                self.scale = 16.0

            def forward(self, rows):
                unit = rows / rows.norm(dim=-1, keepdim=True)
                return self.scale * unit @ self.weight.t()


        class Compared(nn.Module):
            def forward(self, left, right):
                left = left / torch.linalg.vector_norm(left, dim=-1, keepdim=True)
                return torch.einsum("bid,bjd->bij", left / 0.07, right)


        class Divided(nn.Module):
            def forward(self, rows, keys):
                shared = rows @ keys.t()
                rows = torch.div(rows, rows.norm(dim=1, keepdim=True))
                cosine = shared / (rows.norm(dim=-1)[:, None] * keys.norm(dim=-1)[None])
                return rows.mm(keys.t()), cosine
        """,
        (
            (12, "`rows / rows.norm(dim=-1, keepdim=True)` is NaN for the zero vector"),
            (
                18,
                "`left / torch.linalg.vector_norm(left, dim=-1, keepdim=True)` is NaN for the zero vector",
            ),
            (25, "`torch.div(rows, rows.norm(dim=1, keepdim=True))` is NaN for the zero vector"),
            (
                26,
                "`shared / (rows.norm(dim=-1)[:, None] * keys.norm(dim=-1)[None])` is NaN for the zero vector",
            ),
        ),
    ),
    Invalid(
        "rows that a caller passes over their own norm, for which a row of zeros is usual",
        """
        import torch


        def similarity(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
            unit = queries / queries.norm(dim=1)[:, None]
            keys = keys.float()
            keys /= torch.linalg.norm(keys, dim=-1, keepdim=True)
            return unit @ keys.T


        def lengths(table):
            return table.pow(2).sum(-1, keepdim=True).sqrt()


        def ranking(table: torch.Tensor, word):
            rows = table / lengths(table)
            return torch.mv(rows, word)


        def cosine(a: torch.Tensor, b):
            return (a @ b.T) / torch.outer(a.norm(dim=1), b.norm(dim=1))


        def product(a: torch.Tensor, b):
            norms = a.norm(dim=-1) * b.norm(dim=-1)
            return (a * b).sum(-1) / norms
        """,
        (
            (5, "`queries / queries.norm(dim=1)[:, None]` is NaN for the zero vector"),
            (
                7,
                "`keys /= torch.linalg.norm(keys, dim=-1, keepdim=True)` is NaN for the zero vector",
            ),
            (16, "`table / lengths(table)` is NaN for the zero vector"),
            (
                21,
                "`(a @ b.T) / torch.outer(a.norm(dim=1), b.norm(dim=1))` is NaN for the zero vector",
            ),
            (26, "`(a * b).sum(-1) / norms` is NaN for the zero vector"),
        ),
    ),
    Invalid(
        "a parameter count",
        """
        def factor(host_params: int, seed_params: int) -> float:
            return (host_params / seed_params) ** 0.5
        """,
        ((2, NO_PARAMETERS.format("host_params", "seed_params")),),
        fixed="""
        def factor(host_params: int, seed_params: int) -> float:
            return (host_params / seed_params if seed_params > 0 else 0.0) ** 0.5
        """,
    ),
    Invalid(
        "a count by data flow",
        """
        def mean_gradient(total, seed):
            count = sum(p.numel() for p in seed.parameters())
            return total / count
        """,
        ((3, NO_PARAMETERS.format("total", "count")),),
        fixed="""
        def mean_gradient(total, seed):
            count = sum(p.numel() for p in seed.parameters())
            return (total / count if count > 0 else 0.0)
        """,
        options={"any_numerator": True},
    ),
    Invalid(
        "the own norm, with the option `own_norm`",
        """
        def unit(x):
            return x / x.norm()
        """,
        ((2, "`x / x.norm()` is NaN for the zero vector"),),
        options={"own_norm": True},
    ),
)
