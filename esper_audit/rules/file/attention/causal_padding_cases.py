"""The cases of the rule `causal-padding`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "halves in a module that is not causal, the whole amount in front, and a helper of two classes",
        """
        import torch.nn.functional as F
        from torch import nn

        def centred(x, amount):
            return F.pad(x, (amount // 2, amount - amount // 2))

        class Blur(nn.Module):
            def forward(self, x):
                left = self.reach // 2
                return self.conv(F.pad(centred(x, 2), (left, self.reach - left)))

        class CausalFilter(nn.Module):
            def __init__(self, width, reach):
                super().__init__()
                self.pad = nn.ConstantPad1d((reach, 0), 0.0)
                self.conv = nn.Conv1d(width, width, reach + 1)

            def forward(self, x):
                left = self.reach
                return self.conv(self.pad(F.pad(centred(x, 2), (left, 0))))
        """,
    ),
    Valid(
        "the left side where the flag is on",
        """
        import torch.nn.functional as F
        from torch import nn

        class Filter(nn.Module):
            def __init__(self, width, reach, causal=True):
                super().__init__()
                self.causal, self.reach = causal, reach
                self.conv = nn.Conv1d(width, width, reach + 1)

            def forward(self, x):
                if self.causal:
                    x = F.pad(x, (self.reach, 0))
                else:
                    x = F.pad(x, (self.reach // 2, self.reach - self.reach // 2))
                return self.conv(x)
        """,
    ),
    Valid(
        "the weights of a convolution that a kernel runs",
        """
        from torch import nn
        from kernels import dispatch

        class CausalConv1d(nn.Conv1d):
            def __init__(self, width, size):
                super().__init__(width, width, size, groups=width, padding=size - 1)

            def forward(self, x):
                return dispatch(x, self.weight.squeeze(1), self.bias)
        """,
    ),
    Valid(
        "padding on the left",
        """
        from torch import nn
        from torch.nn import functional as F

        class CausalConv(nn.Module):
            def __init__(self, width, kernel):
                super().__init__()
                self.left = kernel - 1
                self.conv = nn.Conv1d(width, width, kernel, padding=0)

            def forward(self, x):
                return self.conv(F.pad(x, (self.left, 0)))
        """,
    ),
    Valid(
        "the end is cut off",
        """
        from torch import nn

        class CausalConv(nn.Conv1d):
            def __init__(self, width, kernel):
                super().__init__(width, width, kernel, padding=kernel - 1)

            def forward(self, x):
                return super().forward(x)[..., : x.shape[-1]]

        class CausalBlock(nn.Module):
            def __init__(self, width, kernel):
                super().__init__()
                self.net = nn.Sequential(nn.Conv1d(width, width, kernel, padding=kernel - 1), Chomp(kernel))
        """,
    ),
    Valid(
        "padding by the flag, a kernel of one, and a class without a flag",
        """
        from torch import nn

        class Block(nn.Module):
            def __init__(self, width, kernel, causal):
                super().__init__()
                pad = 0 if causal else kernel // 2
                self.conv = nn.Conv1d(width, width, kernel, padding=pad)
                self.mix = nn.Conv1d(width, width, 1, padding=0)
                if not causal:
                    self.more = nn.Conv1d(width, width, kernel, padding=kernel // 2)

        class Plain(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.conv = nn.Conv1d(width, width, 3, padding=1)
        """,
    ),
    Valid(
        "an image before a causal model",
        """
        from torch import nn

        class Captioner(nn.Module):
            def __init__(self, width, causal=True):
                super().__init__()
                self.stem = nn.Conv2d(3, width, 7, padding=3)
                self.decoder = Decoder(width, causal=causal)
        """,
    ),
    Valid(
        "a layer of the file cuts the end",
        """
        from torch import nn
        class Shorten(nn.Module):
            def __init__(self, size):
                super().__init__()
                self.size = size
            def forward(self, x):
                return x[..., : -self.size]
        class Block(nn.Module):
            def __init__(self, width, kernel, padding, causal=False):
                super().__init__()
                conv = nn.Conv1d(width, width, kernel, padding=padding)
                if causal:
                    conv = nn.Sequential(conv, Shorten(padding))
                self.conv = conv
            def forward(self, x):
                return self.conv(x)
        """,
    ),
    Valid(
        "a padding of the time that is taken over by `pad`",
        """
        from torch import nn
        import torch.nn.functional as F
        class CausalConv(nn.Conv3d):
            def __init__(self, i, o, size, padding=0):
                super().__init__(i, o, size, padding=padding)
                self.sides = (self.padding[2], self.padding[2], 2 * self.padding[0], 0)
                self.padding = (0, 0, 0)
            def forward(self, x):
                return super().forward(F.pad(x, self.sides))
        class CausalPlane(nn.Module):
            def __init__(self, i, o, size, stride=1, padding=0):
                super().__init__()
                self.sides = (size - 1, 0)
                self.conv = nn.Conv1d(i, o, size, stride, padding)
            def forward(self, x):
                return self.conv(F.pad(x, self.sides))
        class CausalRow(nn.Conv2d):
            def __init__(self, i, o, size, padding=None):
                self.left = size - 1
                padding = 0
                super().__init__(i, o, size, 1, padding)
            def forward(self, x):
                return super().forward(F.pad(x, (self.left, 0, 0, 0)))
        """,
    ),
)

INVALID = (
    Invalid(
        "two halves of one amount",
        """
        import torch.nn.functional as F
        from torch import nn

        class CausalFilter(nn.Module):
            def __init__(self, width, reach):
                super().__init__()
                self.reach = reach
                self.conv = nn.Conv1d(width, width, reach + 1)

            def forward(self, x):
                left = self.reach // 2
                return self.conv(F.pad(x, (left, self.reach - left)))
        """,
        (
            (
                12,
                (
                    "padding (left, self.reach - left) lies on both sides of a causal module's sequence: "
                    "outputs see later positions. Pad the left side alone, or cut the end."
                ),
            ),
        ),
    ),
    Invalid(
        "a padding layer, and a function that pads",
        """
        import torch.nn.functional as F
        from torch import nn

        def padded(x, amount):
            after = amount // 2
            before = amount - after
            return F.pad(x, (before, after)) if amount > 0 else x

        class CausalFilter(nn.Module):
            def __init__(self, width, kernel):
                super().__init__()
                self.kernel = kernel
                self.pad = nn.ZeroPad1d((kernel // 2, (kernel - 1) // 2))
                self.conv = nn.Conv1d(width, width, kernel)
                self.next = nn.Conv1d(width, width, kernel)

            def forward(self, x):
                return self.next(padded(self.conv(self.pad(x)), self.kernel - 1))
        """,
        (
            (
                7,
                (
                    "padding (before, after) lies on both sides of a causal module's sequence: outputs see later "
                    "positions. Pad the left side alone, or cut the end."
                ),
            ),
            (
                13,
                (
                    "padding (kernel // 2, (kernel - 1) // 2) lies on both sides of a causal module's sequence: "
                    "outputs see later positions. Pad the left side alone, or cut the end."
                ),
            ),
        ),
    ),
    Invalid(
        "both sides where the flag is on",
        """
        import torch.nn.functional as F
        from torch import nn

        class Filter(nn.Module):
            def __init__(self, width, reach, causal=True):
                super().__init__()
                self.causal, self.reach = causal, reach
                self.conv = nn.Conv1d(width, width, reach + 1)

            def forward(self, x):
                if not self.causal:
                    x = F.pad(x, (self.reach // 2, self.reach - self.reach // 2))
                else:
                    x = F.pad(x, (self.reach - self.reach // 2, self.reach // 2))
                return self.conv(x)
        """,
        (
            (
                14,
                (
                    "padding (self.reach - self.reach // 2, self.reach // 2) lies on both sides of a causal module's "
                    "sequence: outputs see later positions. Pad the left side alone, or cut the end."
                ),
            ),
        ),
    ),
    Invalid(
        "both sides of a causal convolution",
        """
        from torch import nn

        class CausalConv(nn.Module):
            def __init__(self, width, kernel, dilation=1):
                super().__init__()
                pad = (kernel - 1) * dilation // 2
                self.conv = nn.Conv1d(width, width, kernel, padding=pad, dilation=dilation)

            def forward(self, x):
                return self.conv(x).relu()
        """,
        (
            (
                7,
                (
                    "padding pad lies on both sides of a causal module's sequence: outputs see later "
                    "positions. Pad the left side alone, or cut the end."
                ),
            ),
        ),
    ),
    Invalid(
        "a subclass of the convolution, padding by position, and `same`",
        """
        import torch.nn as nn

        class CausalConv1d(nn.Conv1d):
            def __init__(self, width, kernel):
                super().__init__(width, width, kernel, padding=kernel // 2)

        class CausalStack(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.a = nn.Conv1d(width, width, 3, 1, 1)
                self.b = nn.Conv1d(width, width, kernel_size=5, padding="same")
        """,
        (
            (
                5,
                (
                    "padding kernel // 2 lies on both sides of a causal module's sequence: outputs see "
                    "later positions. Pad the left side alone, or cut the end."
                ),
            ),
            (
                10,
                (
                    "padding 1 lies on both sides of a causal module's sequence: outputs see later "
                    "positions. Pad the left side alone, or cut the end."
                ),
            ),
            (
                11,
                (
                    'padding "same" lies on both sides of a causal module\'s sequence: outputs see later '
                    "positions. Pad the left side alone, or cut the end."
                ),
            ),
        ),
    ),
    Invalid(
        "a flag that the padding does not know",
        """
        from torch import nn

        class Block(nn.Module):
            def __init__(self, width, kernel, causal=False):
                super().__init__()
                self.attention = Attention(width, causal=causal)
                self.conv = nn.Conv1d(width, width, kernel, padding=kernel // 2)

            def forward(self, x):
                return self.conv(self.attention(x).mT).mT
        """,
        (
            (
                7,
                (
                    "padding kernel // 2 lies on both sides of a causal module's sequence: outputs see "
                    "later positions. Pad the left side alone, or cut the end."
                ),
            ),
        ),
    ),
    Invalid(
        "the same amount on both sides by hand",
        """
        import torch.nn.functional as F
        from torch import nn

        class CausalDepthwise(nn.Module):
            def forward(self, x):
                x = F.pad(x, (self.k - 1, self.k - 1))
                return F.conv1d(x, self.weight)
        """,
        (
            (
                6,
                (
                    "padding (self.k - 1, self.k - 1) lies on both sides of a causal module's sequence: "
                    "outputs see later positions. Pad the left side alone, or cut the end."
                ),
            ),
        ),
    ),
)
