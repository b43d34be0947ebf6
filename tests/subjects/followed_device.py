"""Modules that compute where their inputs are, and modules that leave tensors behind."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from support.recipes import SEQUENCES, discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, inconclusive, sound


class Buffered(nn.Module):
    """A table in a buffer, and positions made on the device of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(8.0))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table + torch.arange(x.shape[-1], device=x.device)


class ScalarAttribute(nn.Module):
    """A number without axes, which torch lets stay on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.tensor(2.0)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class CopiedAlong(nn.Module):
    """A plain attribute that is moved in each call."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.arange(8.0)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table.to(x.device)


class ListedParameters(nn.Module):
    """Reads its parameters from a dictionary: the move to another device keeps these objects."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8))
        self.by_name = {"scale": self.scale}

    def forward(self, x: Tensor) -> Tensor:
        return x * self.by_name["scale"]


class Packed(nn.Module):
    """Packs a sequence by lengths, which torch wants on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        lengths = torch.full((x.shape[0],), x.shape[1])
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        return self.gru(packed)[1]


class Unpacked(Packed):
    """Unpacks what a packed sequence holds, too, whose sizes lie on the CPU."""

    def forward(self, x: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.full((x.shape[0],), x.shape[1]), True)
        return nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0]


class IndexOnCPU(nn.Module):
    """Reads by positions and writes numbers that lie on the CPU, which torch lets pass."""

    def forward(self, x: Tensor) -> Tensor:
        y = x[:, torch.arange(3)].clone()
        y[:, 0] = torch.zeros(8)
        return y


class KeptByCall(nn.Module):
    """A table that the first call makes on the device of its input, and later calls use."""

    table: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.table is None:
            self.table = torch.ones(8, device=x.device)
        return x * self.table


class ReadsValues(nn.Module):
    """Reads a value, which meta tensors lack."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.max().item()


class PlainAttribute(nn.Module):
    """A table as a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.arange(8.0)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table


class IndexBySlice(nn.Module):
    """A slice of a plain attribute in a list, in a product that meta tensors let pass."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = [torch.ones(16, 16)]

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.tables[0][:8, :8]


class CreatedHere(nn.Module):
    """Positions that each call makes on the default device."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(x.shape[1])[None, :, None]


class ProductWithCreated(nn.Module):
    """A product with a matrix on the default device, which meta tensors let pass."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ torch.ones(8, 8)


class LayerMadeHere(nn.Module):
    """A layer that each call makes, and brings to the device of the input."""

    def forward(self, x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return nn.Linear(8, 8).to(x.device)(x)


class ZerosReturned(nn.Module):
    """Returns zeros that are made on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(x), torch.zeros(len(x))


class ZerosFollow(ZerosReturned):
    """Returns zeros beside its input, and a count that stays on the CPU."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.net(x), x.new_zeros(len(x)), torch.tensor(len(x))


class OnesAlone(nn.Module):
    """Returns one tensor that is made on the CPU."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.ones(x.shape)


def cases() -> Iterator[Case]:
    yield sound(discovered(Buffered))
    yield sound(discovered(ScalarAttribute))
    yield inconclusive(discovered(ListedParameters, SEQUENCES), "")
    yield sound(discovered(Packed, SEQUENCES))
    yield sound(discovered(CopiedAlong))
    yield sound(discovered(ReadsValues))
    yield sound(discovered(LayerMadeHere))
    yield sound(discovered(Unpacked, SEQUENCES))
    yield sound(discovered(IndexOnCPU, SEQUENCES))
    yield by_design(discovered(KeptByCall), "attribute")
    yield broken(discovered(PlainAttribute), "attribute")
    yield broken(discovered(IndexBySlice), "attribute")
    yield broken(discovered(CreatedHere, SEQUENCES), "created")
    yield broken(discovered(ProductWithCreated), "created")
    yield broken(discovered(ZerosReturned), "returned")
    yield sound(discovered(ZerosFollow))
    yield broken(discovered(OnesAlone), "returned")
