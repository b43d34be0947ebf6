"""Modules whose parameters all get a gradient, and modules that leave some out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from support.recipes import IDS, PICTURES, ROWS, discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, inconclusive, sound


class Learning(nn.Module):
    """Every parameter takes part; one is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.scale = nn.Linear(8, 8), nn.Parameter(torch.ones(8))
        self.fixed = nn.Parameter(torch.ones(8), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * self.scale + self.fixed


class ZeroGate(nn.Module):
    """A gate that is zero at birth: the branch behind it gets zeros, which are gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.branch, self.gate = nn.Linear(8, 8), nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gate * self.branch(x)


class Forgotten(nn.Module):
    """A layer that forward does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.first(self.first(x))


class Detached(nn.Module):
    """A scale that is detached before it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.scale = nn.Linear(8, 8), nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * self.scale.detach()


class ByArgmax(nn.Module):
    """A router whose choice passes no gradient, in a dictionary of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.table = nn.Linear(8, 4), nn.Embedding(4, 8)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"choice": self.table(self.router(x).argmax(-1))}


class OnlyByMask(nn.Module):
    """A token that only an optional argument brings in."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.blank = nn.Linear(8, 8), nn.Parameter(torch.zeros(8))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.net(x if mask is None else torch.where(mask[..., None], self.blank, x))


class OtherMethod(nn.Module):
    """A head that another method uses."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.head = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def classify(self, x: Tensor) -> Tensor:
        return self.head(self.net(x))


class WithTeacher(nn.Module):
    """A teacher beside the student."""

    def __init__(self) -> None:
        super().__init__()
        self.student, self.teacher = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            goal = self.teacher(x)
        return self.student(x) - goal


class Counting(nn.Module):
    """Integers only: nothing to learn by them."""

    def forward(self, ids: Tensor) -> Tensor:
        return ids.sum(-1)


class Experts(nn.Module):
    """A router that sends each row to one expert: some get none of a small batch."""

    def __init__(self, experts: int = 6) -> None:
        super().__init__()
        self.router = nn.Linear(8, experts)
        self.experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        weights, choice = self.router(x).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows = (choice == number).nonzero()[:, 0]
            if len(rows):
                out = out.index_add(0, rows, expert(x[rows]) * weights[rows, None])
        return out


class ExpertsAndForgotten(Experts):
    """Experts, and a layer that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)


class ExpertsOfLayers(nn.Module):
    """Layers of experts of which the loop leaves out the last."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Experts() for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = x + layer(x)
        return x


class LastLeftOut(nn.Module):
    """Equal layers of which the loop leaves out the last."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x)
        return x


class LayerDrop(nn.Module):
    """Layers that chance leaves out, and the last one by the code if `end` is -1."""

    def __init__(self, end: int | None = None) -> None:
        super().__init__()
        self.end = end
        self.first = nn.Linear(8, 8)
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.layers[: self.end]:
            if torch.rand(()) < 0.5:
                x = layer(x)
        return x


def set_split(position: int) -> Callable[[nn.Module], None]:
    def change(module: nn.Module) -> None:
        if isinstance(module, Multiway):
            module.split = position

    return change


class Multiway(nn.Module):
    """Two equal branches: an attribute that a function sets decides between them."""

    def __init__(self) -> None:
        super().__init__()
        self.A, self.B = nn.Linear(8, 8), nn.Linear(8, 8)
        self.split = -1

    def forward(self, x: Tensor) -> Tensor:
        if self.split == -1:
            return self.A(x)
        if self.split == 0:
            return self.B(x)
        return torch.cat([self.A(x[: self.split]), self.B(x[self.split :])])


class MultiwayBlock(nn.Module):
    """Branches inside another module."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Multiway(), Multiway()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class ByBranchName(nn.Module):
    """Two branches: an argument with a default decides between them."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleDict({"text": nn.Linear(8, 8), "image": nn.Linear(8, 8)})

    def forward(self, x: Tensor, kind: str = "text") -> Tensor:
        return torch.relu(self.branches[kind](x))


class FixedBranch(nn.Module):
    """Two equal branches of which nothing ever chooses the second."""

    def __init__(self) -> None:
        super().__init__()
        self.A, self.B = nn.Linear(8, 8), nn.Linear(8, 8)
        self.choose_branch()

    def choose_branch(self) -> None:
        self.fixed_split = -1

    def forward(self, x: Tensor, scale: int = 1) -> Tensor:
        branch: nn.Module = self.A if self.fixed_split == -1 else self.B
        return torch.mul(branch(x), scale)


class OptionalLayer(nn.Module):
    """A layer that is made always, and used where the constructor is told so."""

    def __init__(self, use_mlp: bool = False) -> None:
        super().__init__()
        self._use_mlp = use_mlp
        self.net, self.mlp = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.net(x)
        return self.mlp(x) if self._use_mlp else torch.relu(x)


class OneLayerTooMany(nn.Module):
    """Layers of which the loop leaves out the last, by a number that the constructor is given."""

    def __init__(self, depth: int = 2) -> None:
        super().__init__()
        self.depth = depth
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for number in range(self.depth - 1):
            x = self.layers[number](x)
        return x


class OfSubclasses(nn.Module):
    """Holds a layer that only a subclass uses."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x)


class UsesBoth(OfSubclasses):
    """Uses the layer of its base."""

    def forward(self, x: Tensor) -> Tensor:
        return self.second(super().forward(x))


class GlobalStage(nn.Module):
    """Has a flag that a training script sets after some epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.is_global = False
        self.local_part, self.global_part = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.local_part(x)
        return y + self.global_part(x) if self.is_global else y


class ByScale(nn.Module):
    """Chooses a layer by an argument, whose other values want another input."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"8": nn.Linear(8, 4), "2": nn.Linear(2, 4)})

    def forward(self, x: Tensor, scale: str) -> Tensor:
        out: Tensor = self.layers[scale](x)
        return out


class ByFixedScale(ByScale):
    """Always chooses the same layer."""

    def forward(self, x: Tensor, scale: str) -> Tensor:
        out: Tensor = self.layers["8"](x)
        return out if scale else -out


class Matched(nn.Module):
    """Holds a layer that another class calls."""

    def __init__(self) -> None:
        super().__init__()
        self.coarse, self.fine_matcher = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.coarse(x)
        return out


class Matcher(nn.Module):
    """Calls a layer of its part."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Matched()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net.fine_matcher(self.net(x))
        return out


class ByKind(nn.Module):
    """Chooses a layer by a text, for which it was given a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.sine, self.cosine = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor, kind: str) -> Tensor:
        layer = self.sine if isinstance(kind, str) and kind == "sine" else self.cosine
        out: Tensor = layer(x)
        return out


class Fused(nn.Module):
    """Writes the sum of its layers into a copy, which evaluation uses."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.fused = nn.Linear(8, 8)

    def fuse(self) -> None:
        self.fused.weight.data = self.first.weight + self.second.weight

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            self.fuse()
        out: Tensor = self.first(x) + self.second(x) if self.training else self.fused(x)
        return out


class SkipBlock(nn.Module):
    """Returns what goes on, and what is added up."""

    def __init__(self) -> None:
        super().__init__()
        self.onward, self.skip = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.onward(x), self.skip(x)


class SumOfSkips(nn.Module):
    """Adds up one output of each block, so that nothing takes the other one of the last."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([SkipBlock() for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for block in self.blocks:
            x, skip = block(x)
            total = total + skip
        return total


class Exponent(nn.Module):
    """Reads a parameter as a number."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)
        self.power = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        power = torch.sigmoid(self.power).item()
        out: Tensor = self.net(x) * power
        return out


class Classifier(nn.Module):
    """Features and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.head = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.features(x))
        return out


class Features(Classifier):
    """The features of a classifier, whose weights it loads."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.features(x)
        return out


class OfWindows(nn.Module):
    """Relates windows where a picture has several."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.across = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner(x)
        return y + self.across(x) if x.shape[-1] > 8 else y


class ByChoice(nn.Module):
    """Chooses a layer by a text that it was built with."""

    def __init__(self, choice: str = "linear") -> None:
        super().__init__()
        self.choice = choice
        self.layers = nn.ModuleDict({"linear": nn.Linear(8, 8), "wide": nn.Linear(16, 8)})

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers[self.choice](x)
        return out


class TokenByOption(nn.Module):
    """Creates a token whatever its option says, and a layer that has the size for it only then."""

    def __init__(self, *, use_token: bool = False) -> None:
        super().__init__()
        self.use_token = use_token
        self.token = nn.Parameter(torch.zeros(1, 8))
        self.mix = nn.Linear(3 + use_token, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.cat([self.token, x]) if self.use_token else x
        out: Tensor = self.mix(rows.T)
        return out


def cases() -> Iterator[Case]:
    yield sound(discovered(Learning))
    yield sound(discovered(ZeroGate))
    yield broken(discovered(Forgotten), "unreached")
    yield broken(discovered(Detached), "unreached")
    yield broken(discovered(ByArgmax), "unreached")
    yield by_design(discovered(OnlyByMask), "unreached")
    yield by_design(discovered(OtherMethod), "unreached")
    yield by_design(discovered(WithTeacher), "unreached")
    yield inconclusive(discovered(Counting, IDS), "")
    yield by_design(discovered(Experts), "unreached")
    yield by_design(discovered(Experts, experts=60), "unreached")  # more than all draws reach
    yield broken(discovered(ExpertsAndForgotten), "unreached")
    yield broken(discovered(ExpertsOfLayers), "unreached")
    yield broken(discovered(LastLeftOut), "unreached")
    yield by_design(discovered(LayerDrop), "unreached")
    yield broken(discovered(LayerDrop, end=-1), "unreached")
    yield by_design(discovered(Multiway), "unreached")
    yield by_design(discovered(MultiwayBlock), "unreached")
    yield by_design(discovered(ByBranchName), "unreached")
    yield broken(discovered(FixedBranch), "unreached")
    yield by_design(discovered(OptionalLayer), "unreached")
    yield broken(discovered(OneLayerTooMany), "unreached")
    yield by_design(discovered(OfSubclasses), "unreached")
    yield sound(discovered(UsesBoth))
    yield by_design(discovered(GlobalStage), "unreached")
    yield by_design(discovered(ByScale, ROWS, "8"), "unreached")
    yield broken(discovered(ByFixedScale, ROWS, "large"), "unreached")
    yield by_design(discovered(Matched), "unreached")
    yield sound(discovered(Matcher))
    yield by_design(discovered(ByKind, ROWS, ROWS), "unreached")
    yield by_design(discovered(Fused), "unreached")
    yield by_design(discovered(SumOfSkips), "unreached")
    yield by_design(discovered(Exponent), "unreached")
    yield by_design(discovered(Features), "unreached")
    yield by_design(discovered(OfWindows, PICTURES), "unreached")
    yield by_design(discovered(ByChoice), "unreached")
    yield by_design(discovered(TokenByOption), "unreached")
