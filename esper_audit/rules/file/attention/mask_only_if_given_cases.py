"""The cases of the rule `mask-only-if-given`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a function that makes the mask anyway, one for a flag, and one that returns another mask",
        """
        import torch

        def build(length, padding=None):
            future = torch.ones(length, length).triu(1).bool()
            if padding is None:
                return future
            return future | padding

        def ask(length, causal=None):
            if causal is None:
                return None
            return torch.ones(length, length).triu(1)

        def limit(length, window: int | None):
            if window is None:
                return torch.ones(length, length)
            return torch.ones(length, length).tril() * window
        """,
    ),
    Valid(
        "an attention that is causal by its flag where no mask is made",
        """
        import torch
        import torch.nn.functional as F

        def make(shape, padding=None):
            if padding is None:
                return None
            mask = torch.full(shape, float("-inf"))
            mask = torch.triu(mask, diagonal=1)
            return mask + padding[:, None, None, :]

        class Attention(torch.nn.Module):
            def forward(self, q, k, v, mask=None):
                causal = self.causal and mask is None
                return F.scaled_dot_product_attention(
                    q, k, v, attn_mask=mask, is_causal=self.causal and mask is None
                )
        """,
    ),
    Valid(
        "a window that is added to a causal mask, and a mask that data brings along",
        """
        import numpy as np
        import torch

        def make(n, window=None):
            mask = torch.full((n, n), float("-inf"))
            at = torch.arange(n)
            mask.masked_fill_(at < (at + 1).view(n, 1), 0)
            if window is not None:
                near = 1 - torch.triu(torch.ones_like(mask, dtype=torch.int), diagonal=-window)
                mask.masked_fill_(near.bool(), float("-inf"))
            return mask

        def pad(inputs, n, limit=None):
            if limit is not None:
                if "attention_mask" not in inputs:
                    mask = np.tril(np.ones((1, n, n)))
                    mask = np.bool_(mask < 0.5)
                    inputs["attention_mask"] = mask
            return inputs
        """,
    ),
    Valid(
        "a parameter that becomes the causal mask",
        """
        import torch

        def attend(scores, mask=None, is_causal=False):
            if is_causal:
                mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril_()
            if mask is not None:
                scores = scores.masked_fill(~mask, float("-inf"))
            return scores.softmax(-1)
        """,
    ),
    Valid(
        "a band around the diagonal, which hides no later positions as such",
        """
        import torch

        class Windowed:
            def scores(self, q, k, padding=None):
                scores = q @ k.mT
                if padding is not None:
                    band = torch.ones_like(scores).triu(-self.reach).tril(self.reach)
                    scores = scores.masked_fill(padding == 0, -1e4)
                    scores = scores * band - 1e4 * (1 - band)
                return scores.softmax(-1)
        """,
    ),
    Valid(
        "a mask that is applied by itself",
        """
        import torch
        from torch import nn

        class Scores(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.mask = torch.ones(n, n).triu(1).bool()

            def forward(self, scores, extra=None):
                mask = self.mask if extra is None else self.mask | extra
                return scores.masked_fill(mask, float("-inf"))
        """,
    ),
    Valid(
        "both branches apply it",
        """
        import torch

        def attend(scores, padding=None):
            causal = torch.ones_like(scores).triu(1).bool()
            if padding is not None:
                causal = causal | padding
            return scores.masked_fill(causal, float("-inf"))
        """,
    ),
    Valid(
        "the argument decides about causality, or is what the mask is made from",
        """
        import torch

        def attend(scores, causal=None, target=None):
            if causal is not None:
                scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -1e9)
            if target is not None:
                scores = scores + torch.full(target.shape, -1e9).triu(1)
            return scores
        """,
    ),
    Valid(
        "the mask of the caller, or one of its own",
        """
        import torch

        def attend(scores, mask=None):
            if mask is None:
                mask = torch.ones_like(scores).triu(1).bool()
            return scores.masked_fill(mask, -1e9)
        """,
    ),
    Valid(
        "another branch passes is_causal",
        """
        import torch
        from torch.nn import functional as F

        def attend(q, k, v, padding=None):
            if padding is not None:
                mask = torch.ones(q.shape[1], k.shape[1]).tril().bool() & padding
                return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        """,
    ),
    Valid(
        "a flag of the attention where the mask is None",
        """
        import torch
        from torch import nn
        from torch.nn import functional as F
        class Model(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.register_buffer("cache", torch.tril(torch.ones(n, n)).bool())
            def forward(self, x, positions=None):
                mask = None
                if positions is not None:
                    mask = self.cache[positions]
                return self.attend(x, mask)
            def attend(self, x, mask):
                return F.scaled_dot_product_attention(x, x, x, attn_mask=mask, is_causal=mask is None)
        """,
    ),
)

INVALID = (
    Invalid(
        "a function that gives up without padding",
        """
        import torch

        class Decoder:
            def bias(self, length: int, padding: torch.Tensor | None):
                if padding is None:
                    return None
                return torch.full((length, length), -1e9).triu(1) + padding[:, None]


        def combined(size, pad=None, scale=1.0):
            if pad is None:
                return
            future = torch.tril(torch.ones(size, size))
            both = future * pad
            return both * future
        """,
        (
            (
                5,
                (
                    "the causal mask is made only where `padding` is given: without it every position sees the "
                    "later ones. Make the mask anyway."
                ),
            ),
            (
                11,
                (
                    "the causal mask is made only where `pad` is given: without it every position sees the later "
                    "ones. Make the mask anyway."
                ),
            ),
        ),
    ),
    Invalid(
        "a mask of the object under a condition on another one",
        """
        import torch
        from torch import nn

        class Scores(nn.Module):
            def __init__(self, causal=True, length=None):
                super().__init__()
                self.mask = torch.ones(length, length).triu(1).bool() if causal and length else None

            def forward(self, q, k, v, extra=None):
                scores = q @ k.mT
                if self.mask is not None and extra is not None:
                    scores = scores.masked_fill(self.mask | extra, float("-inf"))
                return scores.softmax(-1) @ v
        """,
        (
            (
                11,
                (
                    "the causal mask is applied only where `extra` is given: without it every position "
                    "sees the later ones. Apply the mask by itself."
                ),
            ),
        ),
    ),
    Invalid(
        "a mask that is made in the branch",
        """
        import torch

        def attend(q, k, v, key_padding=None):
            scores = q @ k.transpose(-2, -1)
            if key_padding is not None:
                n = scores.shape[-1]
                future = torch.triu(torch.ones(n, n, dtype=torch.bool), diagonal=1)
                scores = scores.masked_fill(future | key_padding, float("-inf"))
            return scores.softmax(-1) @ v
        """,
        (
            (
                5,
                (
                    "the causal mask is applied only where `key_padding` is given: without it every "
                    "position sees the later ones. Apply the mask by itself."
                ),
            ),
        ),
    ),
    Invalid(
        "a buffer in a conditional expression, and an early branch",
        """
        import torch
        from torch import nn

        class Block(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.register_buffer("tri", torch.tril(torch.ones(n, n)))

            def forward(self, x, bias=None):
                weights = x @ x.mT
                weights = weights.masked_fill(self.tri == 0, -1e9) + bias if bias is not None else weights
                return weights.softmax(-1) @ x

        class Other(nn.Module):
            def forward(self, x, pad=None):
                causal = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
                if pad is None:
                    mask = None
                else:
                    mask = causal + pad
                return self.attention(x, x, x, attn_mask=mask)
        """,
        (
            (
                11,
                (
                    "the causal mask is applied only where `bias` is given: without it every position "
                    "sees the later ones. Apply the mask by itself."
                ),
            ),
            (
                17,
                (
                    "the causal mask is applied only where `pad` is given: without it every position sees "
                    "the later ones. Apply the mask by itself."
                ),
            ),
        ),
    ),
)
