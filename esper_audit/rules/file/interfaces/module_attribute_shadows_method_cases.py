"""The cases of the rule `module-attribute-shadows-method`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a host of models that is no module, though it holds a parameter",
        """
        import torch
        from runtime import HostMixin


        class Host(HostMixin):
            def __init__(self, text, images):
                self.text, self.images = text, images
                self.scale = torch.nn.Parameter(torch.ones([]))

            def forward(self, ids, pixels):
                return self.text(ids) @ self.images(pixels).T

            def eval(self):
                return self
        """,
    ),
    Valid(
        "a class that `__all__` leaves out and nothing uses, and one that is replaced",
        """
        from torch import nn

        __all__ = ["Tower", "Net"]


        class Unlisted(nn.Module):
            def train(self, mode=True):
                super().train(mode)
                self.frozen.eval()


        class Net(nn.Module):
            def eval(self):
                super().eval()


        class Net(nn.Module):
            pass


        class Tower(nn.Module):
            pass
        """,
    ),
    Valid(
        "a procedure with a callback",
        """
        from torch import nn


        class Trainer(nn.Module):
            def train(self, log=print):
                while self.steps < self.total:
                    log(self.step())


        class Coder(nn.Module):
            def train(self):
                super().train()
                for batch in self.loader:
                    self.step(batch)
        """,
    ),
    Valid(
        "what may be called: one of two functions, an own one or a default",
        """
        from torch import nn


        class Table(nn.Module):
            def __init__(self, rows, apply=None, half=None):
                super().__init__()
                self.apply = apply or nn.functional.relu
                self.half = self.cut if rows > 2 else half
                self.rows = nn.Embedding(rows, 8)

            def cut(self):
                return self.rows.weight[:4]
        """,
    ),
    Valid(
        "procedures that train and evaluate",
        """
        from torch import nn

        class World(nn.Module):
            def train(self, buffer, step):
                self.update(buffer.sample(step))

            def eval(self, buffer, step):
                return self.loss(buffer.sample(step))

        class Ensemble(nn.Module):
            def train(self, loss):
                self.optimizer.zero_grad()
                loss.backward()

        class Trainer(nn.Module):
            def train(self):
                while self.steps < self.limit:
                    self.step()
        """,
    ),
    Valid(
        "a data module, which is no module",
        """
        import pytorch_lightning as pl

        class Tables(pl.LightningDataModule):
            def setup(self, stage):
                self.train = None
        """,
    ),
    Valid(
        "other names, and a flag of its own",
        """
        from torch import nn

        class Slot(nn.Module):
            kind = "conv"

            def __init__(self, train_flag, type):
                super().__init__()
                self.is_training = train_flag
                self.kind = type
        """,
    ),
    Valid(
        "a method or a function takes the place of the method",
        """
        import torch
        from functools import partial
        from torch import nn

        class Slot(nn.Module):
            def __init__(self, fast, apply: Callable):
                super().__init__()
                self.forward = self._fast if fast else self._slow
                self.apply = apply
                self.half = lambda: self
                self.to = partial(move, self)
                self.float = torch.compile(self._float)
        """,
    ),
    Valid(
        "overrides that keep the base and the result",
        """
        from torch import nn

        class Frozen(nn.Module):
            def train(self, mode: bool = True):
                super().train(mode)
                self.norm.eval()
                return self

            def eval(self):
                return self.train(False)

        class Locked(nn.Module):
            def train(self, mode=True):
                raise RuntimeError("locked")
        """,
    ),
    Valid(
        "a class that is no module",
        """
        import torch

        class Trainer:
            type = "trainer"

            def __init__(self, train, parameters):
                self.train = train
                self.parameters = list(parameters)

        class Loop:
            def train(self, loader):
                for batch in loader:
                    self.step(batch)
        """,
    ),
    Valid(
        "a kind of layer that is named type",
        """
        from torch import nn

        class Window(nn.Module):
            type = "plain"

            def __init__(self, type="shifted"):
                super().__init__()
                self.type = type
        """,
    ),
    Valid(
        "stubs of overloads, whose implementation refuses the call",
        """
        from typing import overload
        from torch import nn

        class Explainer(nn.Module):
            @overload
            def train(self, epoch: int, model: nn.Module) -> float: ...

            @overload
            def train(self, mode: bool = True) -> "Explainer": ...

            def train(self, mode=True, model=None):
                if model is None:
                    return super().train(mode)
                return self.fit(model, mode)
        """,
    ),
    Valid(
        "a train that switches all its parts, or has none that behave by the mode",
        """
        from torch import nn

        class Frozen(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.1))
                self.head = nn.Linear(8, 2)

            def train(self, mode=True):
                self.training = mode
                self.body.eval()
                return self

        class Parts(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm, self.drop = nn.BatchNorm1d(8), nn.Dropout(0.1)

            def train(self, mode=True):
                self.training = mode
                for part in self.children():
                    part.train(mode)
                self.norm.eval()
                return self
        """,
    ),
)

INVALID = (
    Invalid(
        "flags, lists and texts",
        """
        import torch
        from torch import nn

        class Slot(nn.Module):
            def __init__(self, train: bool, kind):
                super().__init__()
                self.train = train
                self.type = str(kind)
                self.modules = []
                self.children = nn.ModuleList()
        """,
        (
            (
                7,
                (
                    "`self.train` hides the method `train()` of `nn.Module`, which torch calls. Rename "
                    "the attribute."
                ),
            ),
            (
                8,
                (
                    "`self.type` hides the method `type()` of `nn.Module`, which torch calls. Rename the "
                    "attribute."
                ),
            ),
            (
                9,
                (
                    "`self.modules` hides the method `modules()` of `nn.Module`, which torch calls. "
                    "Rename the attribute."
                ),
            ),
            (
                10,
                (
                    "`self.children` hides the method `children()` of `nn.Module`, which torch calls. "
                    "Rename the attribute."
                ),
            ),
        ),
        options={"types": True},
    ),
    Invalid(
        "numbers, chosen or computed, with the names of conversions",
        """
        from torch import nn


        class Table(nn.Module):
            def __init__(self, rows, width, cpu=False, half=True):
                super().__init__()
                self.to = cpu
                self.half, self.rows = 0.5 if half else 1.0, nn.Embedding(rows, 8)
                self.double = width // 2
        """,
        (
            (
                7,
                (
                    "`self.to` hides the method `to()` of `nn.Module`, which torch calls. Rename the "
                    "attribute."
                ),
            ),
            (
                8,
                (
                    "`self.half` hides the method `half()` of `nn.Module`, which torch calls. Rename the "
                    "attribute."
                ),
            ),
            (
                9,
                (
                    "`self.double` hides the method `double()` of `nn.Module`, which torch calls. Rename the "
                    "attribute."
                ),
            ),
        ),
    ),
    Invalid(
        "a class of this file in between, and a base of another file",
        """
        import torch.nn as nn
        from .base import Backbone

        class Block(nn.Module):
            pass

        class Wide(Block):
            def __init__(self, parameters):
                super().__init__()
                self.parameters = parameters

        class Deep(Backbone):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(2, 2)
                self.modules, self.k = [], 3
            def forward(self, x):
                return self.head(x)
        """,
        (
            (
                10,
                (
                    "`self.parameters` hides the method `parameters()` of `nn.Module`, which torch calls. "
                    "Rename the attribute."
                ),
            ),
            (
                16,
                (
                    "`self.modules` hides the method `modules()` of `nn.Module`, which torch calls. Rename the "
                    "attribute."
                ),
            ),
        ),
    ),
    Invalid(
        "an attribute of the class",
        """
        import torch

        class Pool(torch.nn.Module):
            type = "mean"
            apply: bool = False
        """,
        (
            (
                4,
                (
                    "`type` of the class hides the method `type()` of `nn.Module`, which torch calls. "
                    "Rename the attribute."
                ),
            ),
            (
                5,
                (
                    "`apply` of the class hides the method `apply()` of `nn.Module`, which torch calls. "
                    "Rename the attribute."
                ),
            ),
        ),
        options={"types": True},
    ),
    Invalid(
        "an override without its base",
        """
        from torch import nn

        class Backbone(nn.Module):
            def train(self, mode=True):
                self.frozen = not mode
                for p in self.parameters():
                    p.requires_grad = mode
        """,
        (
            (
                4,
                (
                    "`Backbone.train` never calls the `train` of its base: `eval()` does not change the "
                    "mode. Call it, or rename this one."
                ),
            ),
        ),
    ),
    Invalid(
        "a procedure with the name of a switch, where asked for",
        """
        from torch import nn

        class Agent(nn.Module):
            def train(self, loader, epochs):
                for _ in range(epochs):
                    self.step(loader)
        """,
        (
            (
                4,
                (
                    "`Agent.train` takes loader, epochs and never calls the `train` of its base: `eval()` "
                    "does not change the mode. Call it, or rename this one."
                ),
            ),
        ),
        options={"procedures": True},
    ),
    Invalid(
        "an override that returns nothing",
        """
        from torch import nn

        class Backbone(nn.Module):
            def train(self, mode=True):
                super().train(mode)
                if self.frozen:
                    self.stem.eval()
        """,
        (
            (
                4,
                "`Backbone.train` returns nothing, and `model.train()` of torch the module. Return self.",
            ),
        ),
        fixed="""
        from torch import nn

        class Backbone(nn.Module):
            def train(self, mode=True):
                super().train(mode)
                if self.frozen:
                    self.stem.eval()
                return self
        """,
    ),
)
