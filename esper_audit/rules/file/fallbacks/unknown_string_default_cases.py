"""The cases of the rule `unknown-string-default`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

OTHERS = "`{}` is made for every `{}` that no branch names, a misspelt one too. Name it, and raise for others"
MESSAGE = "`{}` takes `{}` for every `{}` that the table does not hold. Use `{}[{}]`, which raises"

VALID = (
    Valid(
        "annotated tables that raise, that are tested, and that others fill",
        """
        import torch
        KINDS: dict[str, object] = {"relu": torch.relu, "tanh": torch.tanh}
        MORE: dict[str, object] = {"relu": torch.relu, "tanh": torch.tanh}
        MORE = other(MORE)
        def first(name):
            key = name.lower()
            if key not in KINDS:
                raise KeyError(name)
            return KINDS.get(key, torch.relu)
        def second(name):
            return MORE.get(name, torch.relu)
        class Net:
            TABLE: dict = {"a": 1, "b": 2}
            def build(self, kind):
                return self.TABLE[kind], self.TABLE.get(self.kind, 1), self.TABLE.get(kind)
        """,
    ),
    Valid(
        "a branch that raises, numbers, and what is no parameter",
        """
        from torch import nn

        def norm(kind, width, size):
            if kind == "batch":
                return nn.BatchNorm1d(width)
            if kind == "layer":
                return nn.LayerNorm(width)
            raise ValueError(kind)

        def pooled(kind, width):
            if kind in ("mean", "average"):
                return nn.AvgPool1d(width)
            return nn.MaxPool1d(width)

        def place(kind):
            if kind == "left":
                return -1
            elif kind == "right":
                return 1
            else:
                return 0
        """,
    ),
    Valid(
        "all members of an enumeration, and one of another file",
        """
        from enum import Enum
        from .kinds import Scale

        class Mode(Enum):
            FAST = 1
            SLOW = 2

        def steps(mode: Mode, scale: Scale):
            table = {Mode.FAST: 1, Mode.SLOW: 9}
            sizes = {Scale.SMALL: 1, Scale.LARGE: 2}
            return table.get(mode, 1) * sizes.get(scale, 1)
        """,
    ),
    Valid(
        "a lookup that raises",
        """
        ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU}

        def build(activation="relu"):
            return ACTIVATIONS[activation]()
        """,
    ),
    Valid(
        "a default that is none of the values",
        """
        SCALES = {"small": 1, "large": 4}

        def build(size):
            return SCALES.get(size, None), SCALES.get(size, 0), SCALES.get(size)
        """,
    ),
    Valid(
        "tested first",
        """
        MODES = {"nearest": 0, "linear": 1}

        def build(mode):
            if mode not in MODES:
                raise ValueError(mode)
            return MODES.get(mode, 0)
        """,
    ),
    Valid(
        "a dict of the caller",
        """
        def build(options, key):
            return options.get(key, nn.ReLU)
        """,
    ),
)

INVALID = (
    Invalid(
        "an annotated table",
        """
        from typing import Callable
        import torch
        import torch.nn.functional as F
        ACTIVATIONS: dict[str, Callable] = {"relu": F.relu, "tanh": torch.tanh}
        def activation(name: str) -> Callable:
            return ACTIVATIONS.get(name.lower(), F.relu)
        """,
        (
            (
                6,
                (
                    "`ACTIVATIONS.get(name.lower(), F.relu)` takes `F.relu` for every `name.lower()` that the "
                    "table does not hold. Use `ACTIVATIONS[name.lower()]`, which raises"
                ),
            ),
        ),
    ),
    Invalid(
        "the table of a class, and a key by a local name",
        """
        import torch
        class Pool(torch.nn.Module):
            KINDS = {"mean": torch.mean, "max": torch.amax}
            def __init__(self, kind="mean"):
                super().__init__()
                key = kind.strip().lower()
                self.pool = self.KINDS.get(key, torch.mean)
                self.other = Pool.KINDS.get(kind, torch.amax)
        """,
        (
            (
                7,
                (
                    "`self.KINDS.get(key, torch.mean)` takes `torch.mean` for every `key` that the table "
                    "does not hold. Use `self.KINDS[key]`, which raises"
                ),
            ),
            (
                8,
                (
                    "`Pool.KINDS.get(kind, torch.amax)` takes `torch.amax` for every `kind` that the table "
                    "does not hold. Use `Pool.KINDS[kind]`, which raises"
                ),
            ),
        ),
    ),
    Invalid(
        "a layer for every other name",
        """
        from torch import nn

        def norm(kind, width):
            kind = kind.lower()
            if kind == "batch":
                return nn.BatchNorm1d(width)
            if kind in ("layer", "ln"):
                return nn.LayerNorm(width)
            return nn.Identity()
        """,
        ((9, OTHERS.format("return nn.Identity()", "kind")),),
    ),
    Invalid(
        "a member that the table lacks",
        """
        from enum import IntEnum

        class Mode(IntEnum):
            FAST = 1
            SLOW = 2
            EXACT = 3

        STEPS = {Mode.FAST: 1, Mode.SLOW: 9}

        def steps(mode: Mode) -> int:
            return STEPS.get(mode, 1)
        """,
        ((11, MESSAGE.format("STEPS.get(mode, 1)", "1", "mode", "STEPS", "mode")),),
    ),
    Invalid(
        "a table of the module",
        """
        ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU}

        def build(activation="relu"):
            return ACTIVATIONS.get(activation, nn.ReLU)()
        """,
        (
            (
                4,
                MESSAGE.format(
                    "ACTIVATIONS.get(activation, nn.ReLU)",
                    "nn.ReLU",
                    "activation",
                    "ACTIVATIONS",
                    "activation",
                ),
            ),
        ),
    ),
    Invalid(
        "a table in the function, a name in lower case",
        """
        class Head(nn.Module):
            def __init__(self, pooling: str):
                kinds = {"mean": 0, "max": 1, "last": 2}
                self.kind = kinds.get(pooling.lower(), 0)
        """,
        (
            (
                4,
                MESSAGE.format(
                    "kinds.get(pooling.lower(), 0)",
                    "0",
                    "pooling.lower()",
                    "kinds",
                    "pooling.lower()",
                ),
            ),
        ),
    ),
)
