"""The cases of the rule `constant-param-estimate`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a function of the size",
        """
        class SE(nn.Module):
            def __init__(self, channels, reduction=4):
                super().__init__()
                hidden = channels // reduction
                self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.Linear(hidden, channels))


        @register("se", "cnn", param_estimate=lambda dim: 2 * dim * (dim // 4))
        def make_se(dim):
            return SE(dim)
        """,
    ),
    Valid(
        "an estimate of 0 for a factory without parameters",
        """
        @register("noop", "cnn", param_estimate=0)
        def make_noop(dim):
            return nn.Identity()
        """,
    ),
    Valid(
        "a size that reaches no layer",
        """
        @register("scale", "cnn", param_count=1)
        def make_scale(dim, start=0.0):
            class Scale(nn.Module):
                def __init__(self):
                    self.gain = nn.Parameter(torch.zeros(1))
                    self.drop = nn.Dropout(dim / 1000)
            return Scale()
        """,
    ),
    Valid(
        "a layer with a number of heads, which is no size",
        """
        class Attend(nn.Module):
            param_estimate = 16640

            def __init__(self, heads):
                self.attend = nn.MultiheadAttention(64, num_heads=heads)
        """,
    ),
    Valid(
        "a specification with a default for its own field",
        """
        @dataclass
        class BlueprintSpec:
            factory: Callable
            param_estimate: int = 0
        """,
    ),
    Valid(
        "a computed estimate",
        """
        class SE(nn.Module):
            def __init__(self, channels, reduction=4):
                super().__init__()
                hidden = channels // reduction
                self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.Linear(hidden, channels))


        register("se", SE, param_count=count(SE(64)))
        """,
    ),
    Valid(
        "a test that counts parameters",
        """
        class SE(nn.Module):
            def __init__(self, channels, reduction=4):
                super().__init__()
                hidden = channels // reduction
                self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.Linear(hidden, channels))


        def test_se():
            check(SE, dim=64, param_count=2128)
        """,
    ),
)

INVALID = (
    Invalid(
        "a decorator on a function",
        """
        class SE(nn.Module):
            def __init__(self, channels, reduction=4):
                super().__init__()
                hidden = channels // reduction
                self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.Linear(hidden, channels))


        @BlueprintRegistry.register("attention", "cnn", param_estimate=2000)
        def create_attention(dim, reduction=4):
            return SE(dim, reduction)
        """,
        (
            (
                8,
                "param_estimate=2000 is constant, but `dim` determines the size of `nn.Linear(channels, hidden)`",
            ),
        ),
    ),
    Invalid(
        "a decorator on a function that holds the class",
        """
        @register("mlp", topology="transformer", param_estimate=4 * 64 * 64)
        def make(dim: int, **options: int) -> nn.Module:
            class Mlp(nn.Module):
                def __init__(self, width: int) -> None:
                    self.width = width
                    self.up = nn.Linear(self.width, 4 * self.width)
            return Mlp(dim)
        """,
        (
            (
                1,
                (
                    "param_estimate=4 * 64 * 64 is constant, but `dim` determines the size of "
                    "`nn.Linear(self.width, 4 * self.width)`"
                ),
            ),
        ),
    ),
    Invalid(
        "a decorated class",
        """
        from torch.nn import Conv2d as C


        @register("conv", param_count=4_200)
        class Conv(nn.Module):
            def __init__(self, channels):
                self.conv = C(channels, channels, 3)
        """,
        (
            (
                4,
                "param_count=4_200 is constant, but `channels` determines the size of `C(channels, channels, 3)`",
            ),
        ),
    ),
    Invalid(
        "a call that names the factory",
        """
        class SE(nn.Module):
            def __init__(self, channels, reduction=4):
                super().__init__()
                hidden = channels // reduction
                self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.Linear(hidden, channels))


        register("se", SE, param_count=2128)
        """,
        (
            (
                8,
                "param_count=2128 is constant, but `channels` determines the size of `nn.Linear(channels, hidden)`",
            ),
        ),
    ),
    Invalid(
        "a specification with a lambda, and a constant of the module",
        """
        class SE(nn.Module):
            def __init__(self, channels, reduction=4):
                super().__init__()
                hidden = channels // reduction
                self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.Linear(hidden, channels))


        COUNT = 2000
        spec = BlueprintSpec('se', param_estimate=COUNT, make=lambda d: SE(d))
        """,
        (
            (
                9,
                "param_estimate=COUNT is constant, but `d` determines the size of `nn.Linear(channels, hidden)`",
            ),
        ),
    ),
    Invalid(
        "a keyword that the project uses",
        """
        class SE(nn.Module):
            def __init__(self, channels, reduction=4):
                super().__init__()
                hidden = channels // reduction
                self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.Linear(hidden, channels))


        register("se", SE, price=2128)
        """,
        (
            (
                8,
                "price=2128 is constant, but `channels` determines the size of `nn.Linear(channels, hidden)`",
            ),
        ),
        options={"keywords": ["price"]},
    ),
    Invalid(
        "a class attribute",
        """
        class Norm(nn.Module):
            param_estimate: int = 130

            def __init__(self, dim):
                self.norm = nn.GroupNorm(4, dim)
        """,
        (
            (
                2,
                "param_estimate: int = 130 is constant, but `dim` determines the size of `nn.GroupNorm(4, dim)`",
            ),
        ),
    ),
)
