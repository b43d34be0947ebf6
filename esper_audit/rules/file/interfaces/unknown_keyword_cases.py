"""The cases of the rule `unknown-keyword`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

DISSIMILAR: dict[str, object] = {"dissimilar": True}
VALID = (
    Valid(
        "keywords of which one resembles none and one has a word more, unless asked for",
        """
        def scale(x, factor):
            return x * factor

        print(scale(2, factor=3, clip=4), scale(2, factor_max=3))
        """,
    ),
    Valid(
        "calls that the constants of the module and of the class rule out",
        """
        FUSED = False


        def attend(q, k):
            return q @ k


        class Head:
            def __init__(self):
                self.groups = 1

            def run(self, q, k, kind):
                assert kind in ("plain", "scaled")
                if FUSED:
                    return attend(q, k, fused=True)
                if kind == "grouped":
                    return attend(q, k, grouped=True)
                return q if self.groups == 1 else attend(q, k, groups=self.groups)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a module that shows itself, and a method that another class may override",
        """
        class Table:
            def __init__(self, data):
                self.data = self.read(data, rows=8)

            def read(self, data):
                return data


        if __name__ == "__main__":
            print(Table(data_df=1, columns=2))
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "keywords that exist",
        """
        import torch.nn.functional as F


        def scale(x, *, factor=1.0):
            return x * factor


        def run(q, k, v, **more):
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return scale(a, factor=2.0) + F.dropout(a, p=0.1, **more)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a method that subclasses define",
        """
        class Base:
            def encode(self, x):
                raise NotImplementedError

            def run(self, x):
                return self.encode(x, mask=None)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "any keyword, and a signature that is not known",
        """
        def scale(x, **options):
            return x


        @wrapped
        def shift(x):
            return x


        if FAST:
            def turn(x):
                return x
        else:
            def turn(x, angle):
                return x


        def run(x, scale_by):
            return scale(x, factr=1), shift(x, by=2), turn(x, angle=3), scale_by(x, f=2)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a class with another constructor, an override with the keyword",
        """
        from torch import nn


        @dataclass
        class Config:
            width: int


        class Base(nn.Module):
            def encode(self, x):
                return x

            def forward(self, x):
                return self.encode(x, mask=None)


        class Masked(Base):
            def __init__(self, width):
                super().__init__()

            def encode(self, x, mask=None):
                return x


        class Odd(Foreign):
            pass


        made = Config(width=1), Masked(width=2), Odd(depth=3)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a local name, a keyword that resembles none of torch's, and a TypeError that is caught",
        """
        import torch.nn.functional as F


        def scale(x):
            return x


        def run(x, q):
            scale = other
            try:
                return F.scaled_dot_product_attention(q, q, q, is_casual=True)
            except TypeError:
                return scale(x, by=2) + F.dropout(x, newest=1)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "the names that NumPy gives to keywords of torch",
        """
        import torch


        def center(rows):
            spread = torch.std(rows, axis=0, keepdims=True)
            return (rows - torch.mean(a=rows, axis=0, keepdims=True)) / spread
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "below a switch that the file never turns on",
        """
        class Grouped:
            def __init__(self, width):
                self.width = width


        class Layer:
            def __init__(self, width, grouped=False):
                if grouped:
                    assert width > 1
                    self.attend = Grouped(width, latent=8)
        """,
        options=DISSIMILAR,
    ),
)

INVALID = (
    Invalid(
        "several keywords of one call, which are one finding",
        """
        def turned(x, matrix):
            return matrix @ x


        def back(x, matrix):
            return turned(x, matrix, transpose=True, scale=2)
        """,
        ((6, "`turned` takes no `transpose`, `scale`"),),
        options=DISSIMILAR,
    ),
    Invalid(
        "a misspelt keyword of torch",
        """
        import torch
        from torch import nn
        from torch.nn import functional


        class Causal(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.norm = nn.LayerNorm(width, elementwise_afine=False)

            def forward(self, q, k, v):
                return functional.scaled_dot_product_attention(q, k, v, is_casual=True)
        """,
        (
            (9, "`nn.LayerNorm` takes no `elementwise_afine`: it has `elementwise_affine`"),
            (
                12,
                (
                    "`functional.scaled_dot_product_attention` takes no `is_casual`: it has "
                    "`is_causal`"
                ),
            ),
        ),
    ),
    Invalid(
        "a name of NumPy in a layer, which takes none",
        """
        from torch import nn

        distance = nn.PairwiseDistance(keepdims=True)
        """,
        ((3, "`nn.PairwiseDistance` takes no `keepdims`: it has `keepdim`"),),
    ),
    Invalid(
        "a misspelt keyword on a line of its own",
        """
        import torch.nn.functional as F


        def attend(q, k, v):
            return F.scaled_dot_product_attention(
                q, k, v,
                is_casual=True,
            )
        """,
        ((7, "`F.scaled_dot_product_attention` takes no `is_casual`: it has `is_causal`"),),
        fixed="""
        import torch.nn.functional as F


        def attend(q, k, v):
            return F.scaled_dot_product_attention(
                q, k, v,
                is_causal=True,
            )
        """,
    ),
    Invalid(
        "functions, classes and methods of the file",
        """
        from torch import nn


        def pad(x, *, left=0, right=0):
            return x


        class Block(nn.Module):
            def __init__(self, width, dropout=0.0):
                super().__init__()

            def mix(self, x, gate=None):
                return x

            def forward(self, x):
                return self.mix(pad(x, lefts=1), gates=x)


        class Wide(Block):
            pass


        layers = [Block(8, drop_out=0.1), Wide(8, depth=2)]
        """,
        (
            (16, "`pad` takes no `lefts`: it has `left`"),
            (16, "`self.mix` takes no `gates`: it has `gate`"),
            (23, "`Block` takes no `drop_out`: it has `dropout`"),
            (23, "`Wide` takes no `depth`"),
        ),
        options=DISSIMILAR,
    ),
    Invalid(
        "once a function, and below a switch that a call turns on",
        """
        class Grouped:
            def __init__(self, width):
                self.width = width


        class Layer:
            def __init__(self, width, grouped=False):
                if grouped:
                    self.attend = Grouped(width, latent=8)
                    self.second = Grouped(width, latent=4)


        layer = Layer(8, grouped=True)
        """,
        ((9, "`Grouped` takes no `latent`"),),
        options=DISSIMILAR,
    ),
)
