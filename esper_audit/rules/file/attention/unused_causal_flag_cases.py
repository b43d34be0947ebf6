"""The cases of the rule `unused-causal-flag`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a flag that another class reads from the object, and one that a subclass reads",
        """
        from torch import nn

        class Tower(nn.Module):
            def __init__(self, width, causal=True):
                super().__init__()
                self.causal = causal
                self.layers = nn.ModuleList([Layer(self, width)])

        class Layer(nn.Module):
            def __init__(self, tower, width):
                super().__init__()
                self.mask = tower.causal

        class Base(nn.Module):
            def __init__(self, width, is_causal=True):
                super().__init__()
                self.is_causal = is_causal

        class Attention(Base):
            def forward(self, q, k, v):
                return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.is_causal)
        """,
    ),
    Valid(
        "a flag that reaches a mask, and one that reaches an inner module",
        """
        from torch import nn

        class Block(nn.Module):
            def __init__(self, width, causal=False):
                super().__init__()
                self.causal = causal
                self.inner = Inner(width, causal=causal)

            def forward(self, q, k, v):
                return attention(q, k, v, is_causal=self.causal)
        """,
    ),
    Valid(
        "abstract functions, and a flag that is refused",
        """
        from torch import nn

        class Base(nn.Module):
            def attend(self, x, causal):
                raise NotImplementedError

            def pool(self, x, causal):
                \"\"\"Pool the input.\"\"\"

        def attend(x, is_causal=False):
            del is_causal
            return x.softmax(-1)

        def linear(x, is_causal=False):
            assert not is_causal
            return x
        """,
    ),
    Valid(
        "an override, and a class whose base reads the attribute",
        """
        from torch import nn
        from .base import Attention

        class Local(Attention):
            def __init__(self, width, causal):
                super().__init__(width)
                self.causal = causal

            def attend(self, x, causal):
                return x

        class Plain(nn.Module):
            def attend(self, x, causal):
                return self.mask(x, causal)

        class Full(Plain):
            def attend(self, x, causal):
                return x
        """,
    ),
    Valid(
        "an attribute that a subclass or another object reads",
        """
        from torch import nn

        class Block(nn.Module):
            def __init__(self, causal):
                super().__init__()
                self.is_causal = causal

        class Deep(Block):
            def forward(self, x):
                return attention(x, self.is_causal)

        class Model(nn.Module):
            def __init__(self, causal):
                super().__init__()
                self.causal = causal

        def describe(model):
            return model.causal
        """,
    ),
    Valid(
        "the fake of a kernel, and one of several backends",
        """
        import torch
        from .backend import Backend
        def plan(q, k, v, causal=False):
            warn("not available here")
            return None
        def attention_fake(q, k, v, causal=False):
            assert q.dtype == k.dtype == v.dtype
            return q.new_empty(*q.shape[:-1], v.shape[-1])
        class Sparse(Backend):
            def __init__(self, heads, causal=False, **extra):
                self.heads = heads
            def forward(self, q, k, v):
                return sparse_attention(q, k, v)
        """,
    ),
    Valid(
        "a flag that is handed on under its name",
        """
        from torch import nn
        class Attention(nn.Module):
            def __init__(self, width, is_causal=False):
                super().__init__()
                given = locals()
                self.inner = Inner(**{key: given[key] for key in ("width", "is_causal")})
            def forward(self, x):
                return self.inner(x)
        """,
    ),
)

INVALID = (
    Invalid(
        "layers that are built without the flag, which they have, too",
        """
        from torch import nn

        class Layer(nn.Module):
            def __init__(self, width, causal=False):
                super().__init__()
                self.causal = causal

            def forward(self, q, k, v):
                return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)

        class Tower(nn.Module):
            def __init__(self, width, depth, causal=True):
                super().__init__()
                self.causal = causal
                self.layers = nn.Sequential(*(Layer(width) for _ in range(depth)))
        """,
        (
            (
                12,
                (
                    "`causal` of `__init__` goes to `self.causal`, which nothing reads: the future stays visible. "
                    "Apply or remove it."
                ),
            ),
        ),
    ),
    Invalid(
        "a parameter that nothing reads",
        """
        import torch
        from torch import nn

        class Block(nn.Module):
            def __init__(self, width, heads, causal=True):
                super().__init__()
                self.attention = nn.MultiheadAttention(width, heads)

            def forward(self, x):
                return self.attention(x, x, x)[0]
        """,
        (
            (
                5,
                (
                    "`causal` of `__init__` reaches no mask, no padding and no inner module: the future "
                    "stays visible. Apply or remove it."
                ),
            ),
        ),
    ),
    Invalid(
        "an attribute that nothing reads",
        """
        import torch
        from torch import nn

        class Block(nn.Module):
            def __init__(self, width, *, is_causal: bool = False):
                super().__init__()
                self.width = width
                self.is_causal = is_causal

            def forward(self, q, k, v):
                return nn.functional.scaled_dot_product_attention(q, k, v)
        """,
        (
            (
                5,
                (
                    "`is_causal` of `__init__` goes to `self.is_causal`, which nothing reads: the future "
                    "stays visible. Apply or remove it."
                ),
            ),
        ),
    ),
    Invalid(
        "a function and a forward",
        """
        from torch import nn

        def attention(q, k, v, causal=False, scale=1.0):
            return (q @ k.mT * scale).softmax(-1) @ v

        class Block(nn.Module):
            def forward(self, x, is_causal=False):
                return attention(x, x, x)
        """,
        (
            (
                3,
                (
                    "`causal` of `attention` reaches no mask, no padding and no inner module: the future "
                    "stays visible. Apply or remove it."
                ),
            ),
            (
                7,
                (
                    "`is_causal` of `forward` reaches no mask, no padding and no inner module: the future "
                    "stays visible. Apply or remove it."
                ),
            ),
        ),
    ),
)
