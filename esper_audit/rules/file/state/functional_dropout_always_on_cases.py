"""The cases of `functional-dropout-always-on`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

ALWAYS_ON = "`{}` drops in eval mode, too: pass `training=self.training`"
NEVER_ON = "`{}` never drops: pass `training=self.training`"
CREATED = "`{}` is made in `{}`, so that it is always in training mode: make it in `__init__`"
FROM_CALLER = "`{}` drops in eval mode, too: pass `training` from the caller"
ATTENTION = "`scaled_dot_product_attention` drops in eval mode, too: pass `dropout_p={} if self.training else 0.0`"

VALID = (
    Valid(
        "an attention that is used where the rate is 0",
        """
        import torch
        from torch import nn
        class Attend(nn.Module):
            def __init__(self, config):
                super().__init__()
                self.rate = config.rate
                self.fast = config.fast and self.rate == 0.0
            def forward(self, q, k, v):
                if self.fast:
                    return torch.nn.functional.scaled_dot_product_attention(q, k, v, None, self.rate)
                return self.slow(q, k, v)
        """,
    ),
    Valid(
        "an attention whose rate follows the mode, is 0, or comes from the caller",
        """
        import torch.nn.functional as F
        from torch import nn
        class Attend(nn.Module):
            def __init__(self, rate):
                super().__init__()
                self.rate = rate
                self.off = 0.0
                self.live = rate
            def train(self, mode=True):
                self.live = self.rate if mode else 0.0
                return super().train(mode)
            def forward(self, q, k, v, rate=0.0):
                a = F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate if self.training else 0.0)
                b = F.scaled_dot_product_attention(q, k, v, None, rate)
                c = F.scaled_dot_product_attention(q, k, v, dropout_p=0.0)
                d = F.scaled_dot_product_attention(q, k, v, dropout_p=self.off)
                if self.training:
                    return F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate)
                return a + b + c + d + F.scaled_dot_product_attention(q, k, v, dropout_p=self.live)
        """,
    ),
    Valid(
        "a rate of a function that is 0 by default, and that no call passes",
        """
        import torch.nn.functional as F
        from torch import nn


        def attend(q, k, v, dropout: float = 0.0):
            weights = (q @ k.mT).softmax(-1)
            if dropout > 0.0:
                weights = F.dropout(weights, p=dropout)
            return weights @ v


        class Attention(nn.Module):
            def forward(self, q, k, v):
                return attend(q, k, v)
        """,
    ),
    Valid(
        "a noise that a comment states",
        """
        import torch.nn.functional as F
        from torch import nn


        class Prenet(nn.Module):
            def forward(self, x):
                for layer in self.layers:
                    # this part is not deterministic, which speech needs
                    x = F.dropout(layer(x), self.rate)
                return x
        """,
    ),
    Valid(
        "a rate that the caller sets by the mode, and a switch that is passed",
        """
        import torch.nn.functional as F
        from torch import nn


        class Attention(nn.Module):
            def forward(self, x, noisy):
                if noisy:
                    x = F.dropout(x, 0.1)
                if not self.training:
                    rate = 0.0
                else:
                    rate = self.rate
                return self._weighted(x, rate)

            def _weighted(self, x, rate=0.0):
                if rate > 0.0:
                    x = F.dropout(x, p=rate)
                return x
        """,
    ),
    Valid(
        "the mode by keyword, by position, by a rate that follows it",
        """
        import torch.nn.functional as F
        from torch import nn
        class Block(nn.Module):
            def forward(self, x):
                x = F.dropout(x, 0.1, training=self.training)
                x = F.dropout2d(x, self.p, self.training)
                x = F.dropout(x, p=self.p if self.training else 0.0)
                return F.dropout(x, p=0.0)
        """,
    ),
    Valid(
        "a call under a test of the mode, or behind one that leaves",
        """
        import torch.nn.functional as F
        from torch import nn
        class Block(nn.Module):
            def forward(self, x):
                if self.training:
                    x = F.dropout(x, self.p)
                return x
            def mask(self, x):
                if not self.training:
                    return x
                return F.dropout(x, self.p)
            def gate(self, x):
                return F.dropout(x) if self.training and self.p else x
        """,
    ),
    Valid(
        "samples are asked for by name",
        """
        import torch.nn.functional as F
        from torch import nn
        class MCDropout(nn.Module):
            def forward(self, x):
                return F.dropout(x, self.p)
        class Net(nn.Module):
            def sample_predictions(self, x):
                return [self.head(F.dropout(x, 0.5)) for _ in range(8)]
            def training_step(self, batch):
                return self.head(F.dropout(batch, 0.5))
        """,
    ),
    Valid(
        "no module, the module of torch, a function that takes the mode",
        """
        import torch.nn.functional as F
        from torch import nn
        def noise(x):
            return F.dropout(x, 0.5)
        def drop(x, is_training):
            return F.dropout(x, 0.5, is_training)
        class Net(nn.Module):
            def __init__(self):
                self.dropout = nn.Dropout(0.5)
            def forward(self, x):
                return drop(self.dropout(x), self.training)
        """,
    ),
    Valid(
        "a rate that is 0 outside of training",
        """
        from torch import nn
        import torch.nn.functional as F
        class Attend(nn.Module):
            def attend(self, weights, training: bool, rate: float):
                if not training:
                    rate = 0.0
                return F.dropout(weights, p=rate)
            def forward(self, x):
                return self.attend(x, self.training, 0.1)
        """,
    ),
    Valid(
        "a comment that wants it",
        """
        from torch import nn
        import torch.nn.functional as F
        class Prenet(nn.Module):
            def forward(self, x):
                # Dropout stays on when speech is made: without it the decoder repeats itself.
                return F.dropout(self.layer(x), 0.5)
        """,
    ),
)
INVALID = (
    Invalid(
        "an attention with the rate of its constructor, by position, or of a layer",
        """
        from torch import nn
        from torch.nn import functional
        class Attend(nn.Module):
            def __init__(self, rate):
                super().__init__()
                self.rate = rate
                self.drop = nn.Dropout(rate)
            def forward(self, q, k, v):
                y = functional.scaled_dot_product_attention(q, k, v, dropout_p=self.rate)
                y = y + functional.scaled_dot_product_attention(q, k, v, None, 0.1)
                return y + functional.scaled_dot_product_attention(
                    q, k, v, dropout_p=self.drop.p
                )
        """,
        (
            (9, ATTENTION.format("self.rate")),
            (10, ATTENTION.format("0.1")),
            (12, ATTENTION.format("self.drop.p")),
        ),
        fixed="""
        from torch import nn
        from torch.nn import functional
        class Attend(nn.Module):
            def __init__(self, rate):
                super().__init__()
                self.rate = rate
                self.drop = nn.Dropout(rate)
            def forward(self, q, k, v):
                y = functional.scaled_dot_product_attention(q, k, v, dropout_p=self.rate if self.training else 0.0)
                y = y + functional.scaled_dot_product_attention(q, k, v, None, 0.1 if self.training else 0.0)
                return y + functional.scaled_dot_product_attention(
                    q, k, v, dropout_p=self.drop.p if self.training else 0.0
                )
        """,
    ),
    Invalid(
        "twice in a forward",
        """
        import torch.nn.functional as F
        from torch import nn
        class Scorer(nn.Module):
            def forward(self, tokens):
                hidden = F.dropout(self.embed(tokens), p=self.rate)
                if self.rate > 0:
                    hidden = F.dropout(hidden)
                return self.out(hidden)
        """,
        (
            (5, ALWAYS_ON.format("F.dropout(self.embed(tokens), p=self.rate)")),
            (7, ALWAYS_ON.format("F.dropout(hidden)")),
        ),
        fixed="""
        import torch.nn.functional as F
        from torch import nn
        class Scorer(nn.Module):
            def forward(self, tokens):
                hidden = F.dropout(self.embed(tokens), p=self.rate, training=self.training)
                if self.rate > 0:
                    hidden = F.dropout(hidden, training=self.training)
                return self.out(hidden)
        """,
    ),
    Invalid(
        "by another import, in a helper method, in a class with a foreign base",
        """
        from torch import nn
        from torch.nn.functional import dropout2d as drop
        from .base import Base
        class Encoder(Base):
            def forward(self, x):
                return self._shrink(x)
            def _shrink(self, x):
                return drop(
                    x,
                    0.3,
                )
        class Tower(nn.Module):
            def __init__(self):
                super().__init__()
                self.drop = lambda x: nn.functional.dropout3d(x, 0.5)
        """,
        (
            (8, ALWAYS_ON.format("drop( x, 0.3, )")),
            (15, ALWAYS_ON.format("nn.functional.dropout3d(x, 0.5)")),
        ),
    ),
    Invalid(
        "in a function that a module calls",
        """
        import torch
        from torch import nn
        def mix(x, rate):
            return torch.nn.functional.dropout(x.relu(), rate)
        class Net(nn.Module):
            def forward(self, x):
                return mix(self.one(x), 0.1)
        """,
        ((4, FROM_CALLER.format("torch.nn.functional.dropout(x.relu(), rate)")),),
    ),
    Invalid(
        "a module that forward makes",
        """
        from torch import nn
        class Net(nn.Module):
            def forward(self, x):
                drop = nn.Dropout(0.1)
                return nn.Dropout2d(p=0.2)(drop(x))
        """,
        (
            (4, CREATED.format("nn.Dropout(0.1)", "forward")),
            (5, CREATED.format("nn.Dropout2d(p=0.2)", "forward")),
        ),
    ),
    Invalid(
        "a partial, and the one that is off by default",
        """
        from functools import partial
        import torch.nn as nn
        import torch.nn.functional as F
        class Net(nn.Module):
            def __init__(self, p):
                super().__init__()
                self.drop = partial(F.dropout, p=p)
            def forward(self, x):
                return F.alpha_dropout(self.drop(x), 0.1)
        """,
        (
            (7, ALWAYS_ON.format("partial(F.dropout, p=p)")),
            (9, NEVER_ON.format("F.alpha_dropout(self.drop(x), 0.1)")),
        ),
    ),
)
