"""The cases of the rule `attention-without-causal-mask`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

DOCUMENTED = (
    "`functional.scaled_dot_product_attention` attends to later positions: no attn_mask and {}, in "
    "`{}`, which is causal by its docstring"
)
VALID = (
    Valid(
        "a branch for a query of one position",
        """
        class CausalSelfAttention(nn.Module):
            def forward(self, query, key, value):
                if query.shape[2] > 1:
                    return F.scaled_dot_product_attention(query, key, value, is_causal=True)
                else:
                    return F.scaled_dot_product_attention(query, key, value, is_causal=False)

            def step(self, query, key, value):
                length = query.size(-2)
                if length == 1:
                    return F.scaled_dot_product_attention(query, key, value)
                return F.scaled_dot_product_attention(query, key, value, is_causal=True)
        """,
    ),
    Valid(
        "a decoder of objects, which see each other",
        """
        from torch import nn


        class ObjectDecoderLayer(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.attn = nn.MultiheadAttention(width, 8)

            def forward(self, queries, points):
                return self.attn(queries, queries, queries)[0]
        """,
    ),
    Valid(
        "is_causal in a causal module",
        """
        class CausalAttention(nn.Module):
            def forward(self, q, k, v):
                return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        """,
    ),
    Valid(
        "a mask by keyword or position, a computed is_causal, unpacked keywords",
        """
        class GPT(nn.Module):
            def forward(self, q, k, v, mask, **more):
                a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=False)
                b = F.scaled_dot_product_attention(q, k, v, is_causal=q.shape[2] > 1)
                c = F.scaled_dot_product_attention(q, k, v, mask)
                return a + b + c + F.scaled_dot_product_attention(q, k, v, **more)
        """,
    ),
    Valid(
        "a module without a causal name",
        """
        class Attention(nn.Module):
            def forward(self, q, k, v):
                return F.scaled_dot_product_attention(q, k, v)
        """,
    ),
    Valid(
        "a docstring with the word bidirectional",
        '''
        @Registry.register("attention", "transformer")
        class Seed(nn.Module):
            """Bidirectional on purpose: the host is one too."""

            def forward(self, q, k, v):
                return F.scaled_dot_product_attention(q, k, v)
        ''',
    ),
    Valid(
        "a seed for another topology",
        """
        @Registry.register("attention", "cnn")
        def make(dim):
            class Seed(nn.Module):
                def forward(self, q, k, v):
                    return F.scaled_dot_product_attention(q, k, v)
            return Seed()
        """,
    ),
    Valid(
        "the cross attention of a decoder, after a residual",
        """
        class DecoderLayer(nn.Module):
            def __init__(self, d):
                self.attend = nn.MultiheadAttention(d, 4)
            def forward(self, tgt, memory):
                tgt2 = self.attend(tgt, memory, memory)[0]
                tgt = tgt + tgt2
                return tgt
        """,
    ),
    Valid(
        "a segmentation model with gpt in its name",
        """
        class SegGptAttention(nn.Module):
            def forward(self, query, key, value):
                weights = (query * self.scale) @ key.transpose(-2, -1)
                return weights.softmax(dim=-1) @ value
        """,
    ),
    Valid(
        "a handwritten softmax after a mask",
        """
        class CausalAttention(nn.Module):
            def forward(self, q, k, v):
                scores = q @ k.transpose(-2, -1)
                scores = scores.masked_fill(self.later, float('-inf'))
                return F.softmax(scores, dim=-1) @ v
        """,
    ),
    Valid(
        "the softmax over a vocabulary",
        """
        class GPT(nn.Module):
            def sample(self, x):
                return F.softmax(self.head(x) / self.temperature, dim=-1)
        """,
    ),
    Valid(
        "functions and methods of its own with these names",
        """
        from .layers import MultiheadAttention, flex_attention


        def scaled_dot_product_attention(q, k, v):
            return attend(q, k, v, later_positions(q))


        class CausalAttention(nn.Module):
            def __init__(self, d):
                self.attend = MultiheadAttention(d, 4)

            def forward(self, q, k, v):
                a = scaled_dot_product_attention(q, k, v)
                b = self.scaled_dot_product_attention(q, k, v)
                return a + b + self.attend(q, q, q)[0] + flex_attention(q, k, v)
        """,
    ),
    Valid(
        "a docstring about an option, another module or a parameter",
        '''
        from torch.nn import functional


        class Attend(nn.Module):
            """Attends to every position. A causal mask can be passed to the constructor.

            Args:
                causal: the layer is causal.
            """

            def forward(self, q, k, v):
                return functional.scaled_dot_product_attention(q, k, v)


        class Scores(nn.Module):
            """Scores for causal inference of treatments, unlike those of a causal model."""

            def forward(self, q, k, v):
                return functional.scaled_dot_product_attention(q, k, v)
        ''',
    ),
    Valid(
        "the last positions of a known sequence look at all of it",
        """
        from torch import nn
        class FusionDecoder(nn.Module):
            def __init__(self, width, heads, known):
                super().__init__()
                self.known = known
                self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
            def forward(self, x, padding):
                found, _ = self.attention(query=x[:, self.known :], key=x, value=x, key_padding_mask=padding)
                return found
        """,
    ),
)

INVALID = (
    Invalid(
        "a branch for one batch, and the branch for more positions than one",
        """
        class CausalSelfAttention(nn.Module):
            def forward(self, q, k, v):
                if q.size(0) == 1:
                    return F.scaled_dot_product_attention(q, k, v)
                if q.size(-2) > 1:
                    return F.scaled_dot_product_attention(q, k, v)
                return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        """,
        (
            (
                4,
                (
                    "`F.scaled_dot_product_attention` attends to later positions: no attn_mask and no is_causal, "
                    "in `CausalSelfAttention`, which is causal by its name"
                ),
            ),
            (
                6,
                (
                    "`F.scaled_dot_product_attention` attends to later positions: no attn_mask and no is_causal, "
                    "in `CausalSelfAttention`, which is causal by its name"
                ),
            ),
        ),
    ),
    Invalid(
        "a decoder of text",
        """
        from torch import nn


        class DecoderBlock(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.attn = nn.MultiheadAttention(width, 8)

            def forward(self, x):
                return self.attn(x, x, x)[0]


        class Language(nn.Module):
            def __init__(self, vocab_size, width):
                super().__init__()
                self.embed = nn.Embedding(vocab_size, width)
                self.block = DecoderBlock(width)
        """,
        (
            (
                10,
                (
                    "`self.attn` attends to later positions: no attn_mask and no is_causal, in "
                    "`DecoderBlock`, which is causal by its name"
                ),
            ),
        ),
    ),
    Invalid(
        "a seed made by a function that is registered for transformers",
        """
        import torch.nn.functional as F
        from torch import nn
        from torch.nn.functional import scaled_dot_product_attention as sdpa
        class Seed(nn.Module):
            def forward(self, x):
                q, k, v = self.qkv(x).chunk(3, dim=-1)
                out = F.scaled_dot_product_attention(q, k, v)
                return x + out


        @BlueprintRegistry.register("attention", "transformer", param_estimate=3)
        def create_attention(dim):
            return Seed(dim)
        """,
        (
            (
                7,
                (
                    "`F.scaled_dot_product_attention` attends to later positions: no attn_mask and no "
                    'is_causal, in `Seed`, which `create_attention` registers for "transformer"'
                ),
            ),
        ),
        fixed="""
        import torch.nn.functional as F
        from torch import nn
        from torch.nn.functional import scaled_dot_product_attention as sdpa
        class Seed(nn.Module):
            def forward(self, x):
                q, k, v = self.qkv(x).chunk(3, dim=-1)
                out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                return x + out


        @BlueprintRegistry.register("attention", "transformer", param_estimate=3)
        def create_attention(dim):
            return Seed(dim)
        """,
    ),
    Invalid(
        "the literal False and a mask that is None, under another name",
        """
        import torch.nn.functional as F
        from torch import nn
        from torch.nn.functional import scaled_dot_product_attention as sdpa
        class Block(CausalModule):
            def forward(self, q, k, v):
                return sdpa(q, k, v, attn_mask=None, is_causal=False)
        """,
        (
            (
                6,
                (
                    "`sdpa` attends to later positions: no attn_mask and is_causal=False, in "
                    "`Block(CausalModule)`, which is causal by its name"
                ),
            ),
        ),
        fixed="""
        import torch.nn.functional as F
        from torch import nn
        from torch.nn.functional import scaled_dot_product_attention as sdpa
        class Block(CausalModule):
            def forward(self, q, k, v):
                return sdpa(q, k, v, attn_mask=None, is_causal=True)
        """,
    ),
    Invalid(
        "a layer with only a padding mask",
        """
        import torch.nn.functional as F
        from torch import nn
        from torch.nn.functional import scaled_dot_product_attention as sdpa
        class GPTBlock(nn.Module):
            def __init__(self, d):
                self.attend = nn.MultiheadAttention(d, 4)

            def forward(self, x, padding):
                return self.attend(x, x, x, key_padding_mask=padding)[0]
        """,
        (
            (
                9,
                (
                    "`self.attend` attends to later positions: no attn_mask and no is_causal, in "
                    "`GPTBlock`, which is causal by its name"
                ),
            ),
        ),
    ),
    Invalid(
        "flex_attention in a registered class",
        """
        from torch.nn.attention.flex_attention import flex_attention
        @register("flex", topology="decoder")
        class Flex(nn.Module):
            def forward(self, q, k, v):
                return flex_attention(q, k, v)
        """,
        (
            (
                5,
                (
                    "`flex_attention` attends to later positions: no score_mod and no block_mask, in "
                    '`Flex`, which `Flex` registers for "decoder"'
                ),
            ),
        ),
    ),
    Invalid(
        "a handwritten softmax",
        """
        class CausalSelfAttention(nn.Module):
            def forward(self, x):
                q, k, v = self.split(x)
                scores = (q @ k.transpose(-2, -1)) / self.scale
                return scores.softmax(dim=-1) @ v
        """,
        (
            (
                5,
                (
                    "`scores.softmax` attends to later positions: no mask, in `CausalSelfAttention`, which "
                    "is causal by its name"
                ),
            ),
        ),
    ),
    Invalid(
        "a class that only its docstring makes causal",
        '''
        from torch.nn import functional


        class Mixer(nn.Module):
            """Token mixing of a causal block: each position reads itself and what came before."""

            def forward(self, x):
                q, k, v = self.project(x)
                return functional.scaled_dot_product_attention(q, k, v)


        class Reader(nn.Module):
            """One step of the text model. No token may look at later ones."""

            def forward(self, x):
                q, k, v = self.project(x)
                return self.out(functional.scaled_dot_product_attention(q, k, v))


        class Writer(nn.Module):
            """A block.

            Positions attend only to the previous tokens of the sequence.
            """

            def forward(self, x):
                q, k, v = self.project(x)
                return functional.scaled_dot_product_attention(q, k, v, is_causal=False)
        ''',
        (
            (9, DOCUMENTED.format("no is_causal", "Mixer")),
            (17, DOCUMENTED.format("no is_causal", "Reader")),
            (28, DOCUMENTED.format("is_causal=False", "Writer")),
        ),
    ),
)
