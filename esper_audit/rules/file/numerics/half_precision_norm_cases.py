"""The cases of the rule `half-precision-norm`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = "`{}` squares in the precision of `{}`, and 256 squared is infinite in float16: use `{}.float()`"

VALID = (
    Valid(
        "a conversion before the square, in the sum, and by the caller",
        """
        import torch
        from torch import nn
        class Norm(nn.Module):
            def forward(self, x):
                wide = x.to(torch.float32)
                a = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
                b = (x**2).sum(-1, dtype=torch.float32).sqrt()
                return (a + b + self.size(x.float())).to(torch.float16)
            def size(self, x):
                return x.pow(2).mean(-1).sqrt()
        """,
    ),
    Valid(
        "no half precision in the file",
        """
        import torch
        from torch import nn
        class Norm(nn.Module):
            def forward(self, x):
                return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        """,
    ),
    Valid(
        "half precision in another function, and autocast that is turned off",
        """
        import torch
        from torch import nn
        class Norm(nn.Module):
            def forward(self, x):
                return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        class Spectrum(nn.Module):
            def forward(self, wave):
                with torch.autocast("cuda", enabled=False):
                    parts = torch.view_as_real(self.transform(wave))
                return torch.sqrt(parts.pow(2).sum(-1))
        def shrink(model):
            return model.half()
        """,
    ),
    Valid(
        "the norm of torch, which sums in float32",
        """
        import torch
        def total(model):
            grads = [p.grad for p in model.parameters()]
            return torch.stack([g.norm() for g in grads if g.dtype == torch.float16]).norm()
        """,
    ),
)

INVALID = (
    Invalid(
        "a module of a file that converts its networks",
        """
        import torch
        from torch import nn

        class Norm(nn.Module):
            def forward(self, x):
                return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)

        def serve(path):
            net = nn.Sequential(nn.Linear(8, 8), Norm())
            net.load_state_dict(torch.load(path))
            return net.half()
        """,
        ((6, MESSAGE.format("torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)", "x", "x")),),
    ),
    Invalid(
        "a root mean square in the forward of a module",
        """
        import torch
        from torch import nn
        class Norm(nn.Module):
            def forward(self, x):
                mean = x.pow(2).mean(-1, keepdim=True)
                return (x * torch.rsqrt(mean + self.eps)).to(torch.bfloat16)
        """,
        ((6, MESSAGE.format("torch.rsqrt(mean + self.eps)", "x", "x")),),
    ),
    Invalid(
        "the square of a difference",
        """
        import torch
        from torch import nn
        class Norm(nn.Module):
            def forward(self, x):
                u = x.mean(-1, keepdim=True)
                s = (x - u).pow(2).mean(-1, keepdim=True)
                return ((x - u) / torch.sqrt(s + self.eps)).to(torch.float16)
        """,
        ((7, MESSAGE.format("torch.sqrt(s + self.eps)", "(x - u)", "(x - u)")),),
    ),
    Invalid(
        "the gradients of a model in half precision",
        """
        import torch
        def total(model):
            model.half()
            return sum((p.grad**2).sum() ** 0.5 for p in model.parameters())
        """,
        ((4, MESSAGE.format("(p.grad**2).sum() ** 0.5", "p.grad", "p.grad")),),
    ),
    Invalid(
        "in a helper that forward calls, under autocast",
        """
        import torch
        from torch import nn
        def length(v):
            return v.square().sum(dim=-1).sqrt()
        class Unit(nn.Module):
            def forward(self, x):
                with torch.autocast("cuda"):
                    return x / (length(x) + 1e-3)
        """,
        ((4, MESSAGE.format("v.square().sum(dim=-1).sqrt()", "v", "v")),),
    ),
)
