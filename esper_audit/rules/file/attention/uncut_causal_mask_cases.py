"""The cases of the rule `uncut-causal-mask`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = "`{}` of the full length is applied here, also to a shorter sequence. Cut it to the length of the input."

VALID = (
    Valid(
        "rows of the positions of the queries, over a whole cache of keys",
        """
        import torch
        from torch import nn

        class Decoder(nn.Module):
            def __init__(self, context):
                self.mask = torch.tril(torch.ones(context, context, dtype=torch.bool))
            def forward(self, q, k, v, at, start):
                n = q.shape[-2]
                if self.cache:
                    mask = self.mask.narrow(0, start, n) if start else self.mask[at]
                    return self.attend(q, *self.cache, mask, self.mask[None, start, None, :])
                return self.attend(q, k, v, self.mask[:n, :n], None)
        """,
    ),
    Valid(
        "a mask that the function has just made at the length of the input",
        """
        import torch
        from torch import nn

        class Bias(nn.Module):
            def forward(self, dots):
                n = dots.shape[-1]
                if self.bias is not None and self.bias.shape[-1] >= n:
                    return dots + self.bias[..., :n]
                made = torch.ones(n, n).triu(1) * -1e9
                self.register_buffer("bias", made, persistent=False)
                return dots + self.bias
        """,
    ),
    Valid(
        "a mask that every branch cuts",
        """
        import torch
        from torch import nn

        class Tower(nn.Module):
            def __init__(self, context):
                super().__init__()
                self.register_buffer("mask", torch.ones(context, context).triu(1).bool())

            def forward(self, scores, extra):
                n = scores.shape[-1]
                if extra is not None:
                    return scores.masked_fill(self.mask.to(scores.device)[:n, :n] | extra, -1e9)
                return scores.masked_fill(self.mask[:n, :n], -1e9)
        """,
    ),
    Valid(
        "a mask that is moved, and cut where it is returned",
        """
        import torch
        from torch import nn

        class Decoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.future = torch.empty(0)

            def mask(self, x):
                n = x.size(0)
                if self.future.size(0) < n:
                    self.future = torch.triu(torch.full((n, n), float("-inf")), 1)
                self.future = self.future.to(x)
                return self.future[:n, :n]
        """,
    ),
    Valid(
        "a fixed length",
        """
        import torch
        from torch import nn

        class Tower(nn.Module):
            def __init__(self, context):
                super().__init__()
                self.mask = torch.ones(context, context).tril()

            def forward(self, scores):
                return scores * self.mask + self.mask.sum()
        """,
    ),
    Valid(
        "another tensor like the mask, and an input of one length",
        """
        import torch
        from torch import nn

        class Tower(nn.Module):
            def __init__(self, context):
                super().__init__()
                self.context = context
                self.register_buffer("mask", torch.ones(context, context).tril())

            def forward(self, scores):
                assert scores.shape[-1] == self.context
                return scores.masked_fill(self.mask == 0, -1e9).softmax(-1)

        class Longer(nn.Module):
            def __init__(self, context):
                super().__init__()
                self.mask = torch.ones(context, context).tril()

            def forward(self, scores):
                n = scores.shape[-1]
                memory = self.mask.new_ones(n, n)
                mask = torch.cat((memory, self.mask[:n, :n]), dim=1)
                return (scores * mask).softmax(-1)
        """,
    ),
    Valid(
        "a triangle that is no mask of scores",
        """
        import torch
        from torch import nn

        class Spectrum(nn.Module):
            def __init__(self, degrees):
                super().__init__()
                self.register_buffer("weight", torch.tril(torch.randn(degrees, degrees)))

            def forward(self, x):
                return torch.fft.irfft(x * self.weight)
        """,
    ),
    Valid(
        "a mask that is asked for its size, cut under another name, or handed to a function",
        """
        import torch
        from torch import nn

        class Tower(nn.Module):
            def __init__(self, context):
                super().__init__()
                self.mask = torch.full((context, context), float("-inf")).triu(1)

            def forward(self, scores):
                n = min(scores.shape[-1], self.mask.shape[0])
                mask = self.mask
                fitted = fit(self.mask, n)
                return scores + mask[:n, :n] + self.mask[:n, :n] + fitted
        """,
    ),
)

INVALID = (
    Invalid(
        "a parameter that does not train, and axes in front",
        """
        import torch
        from torch import nn

        class Decoder(nn.Module):
            def __init__(self, config):
                super().__init__()
                seen = torch.tril(torch.ones(config.longest, config.longest))
                self.seen = nn.Parameter(seen, requires_grad=False)
                self.later = torch.ones(config.longest, config.longest).triu(1)[None] * -1e9

            def forward(self, scores):
                scores = scores.masked_fill(self.seen == 0, float("-inf"))
                return torch.softmax(scores + self.later, -1)
        """,
        (
            (12, MESSAGE.format("self.seen")),
            (13, MESSAGE.format("self.later")),
        ),
    ),
    Invalid(
        "a mask that a function makes for the constructor",
        """
        import torch
        from torch import nn

        def triangle(n):
            return torch.ones(n, n).tril().bool()

        class Decoder(nn.Module):
            def __init__(self, longest):
                super().__init__()
                self.register_buffer("seen", triangle(longest))

            def forward(self, scores):
                scores = scores.masked_fill(self.seen.logical_not(), float("-inf"))
                return torch.softmax(scores, -1)
        """,
        ((13, MESSAGE.format("self.seen")),),
    ),
    Invalid(
        "no cut anywhere",
        """
        import torch
        import torch.nn.functional as F
        from torch import nn

        class Decoder(nn.Module):
            def __init__(self, config):
                super().__init__()
                size = config.context
                hidden = torch.triu(torch.ones(size, size), diagonal=1).bool()
                self.register_buffer("hidden", hidden)
                self.register_buffer("bias", torch.full((size, size), float("-inf")).triu(1))

            def attend(self, q, k, v):
                scores = q @ k.transpose(-2, -1)
                scores = torch.where(self.hidden, float("-inf"), scores)
                return F.softmax(scores, dim=-1) @ v

            def forward(self, q, k, v):
                return F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias)
        """,
        (
            (15, MESSAGE.format("self.hidden")),
            (19, MESSAGE.format("self.bias")),
        ),
    ),
    Invalid(
        "one branch without a cut",
        """
        import torch
        from torch import nn

        class Tower(nn.Module):
            def __init__(self, width, context=64):
                super().__init__()
                self.register_buffer("mask", torch.full((context, context), float("-inf")).triu(1))

            def forward(self, x, pad):
                length = x.shape[1]
                if pad is not None:
                    mask = self.mask.unsqueeze(0) + pad
                else:
                    mask = self.mask[:length, :length]
                return ((x @ x.mT + mask).softmax(-1)) @ x
        """,
        (
            (
                12,
                (
                    "`self.mask` of the full length is applied here, and line 14 cuts it. Cut it to the "
                    "length of the input."
                ),
            ),
        ),
    ),
    Invalid(
        "a mask that another method cuts",
        """
        import torch
        from torch import nn

        class Tower(nn.Module):
            def __init__(self, context):
                super().__init__()
                causal = torch.tril(torch.ones(context, context))
                self.register_buffer("causal", causal)

            def step(self, scores, t):
                return scores.masked_fill(self.causal[t : t + 1, : t + 1] == 0, -1e9)

            def forward(self, scores):
                return scores.masked_fill(self.causal == 0, -1e9)
        """,
        (
            (
                14,
                (
                    "`self.causal` of the full length is applied here, and line 11 cuts it. Cut it to the "
                    "length of the input."
                ),
            ),
        ),
    ),
    Invalid(
        "a keyword and a local name",
        """
        import torch
        from torch import nn
        from torch.nn import functional as F

        class Tower(nn.Module):
            def __init__(self, context):
                super().__init__()
                self.mask = torch.ones(context, context).tril().bool()

            def forward(self, q, k, v, short):
                n = q.shape[-2]
                if short:
                    return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask[:n, :n])
                mask = self.mask
                return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask) + mask
        """,
        (
            (
                14,
                (
                    "`self.mask` of the full length is applied here, and line 13 cuts it. Cut it to the "
                    "length of the input."
                ),
            ),
            (
                15,
                (
                    "`self.mask` of the full length is applied here, and line 13 cuts it. Cut it to the "
                    "length of the input."
                ),
            ),
        ),
    ),
)
