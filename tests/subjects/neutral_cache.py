"""Modules whose cache changes nothing, and modules whose steps differ from the whole pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from support.recipes import IDS, ROWS, SEQUENCES, SHORT, SIGNALS, STATE, TIME_FIRST, discovered
from torch import Tensor, nn
from torch.nn import functional as F

from .cases import Case, broken, inconclusive, sound

KeysValues = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Causal attention that returns its keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(8, 24)

    def forward(self, x: Tensor, past: KeysValues | None = None) -> tuple[Tensor, KeysValues]:
        q, k, v = self.project(x).chunk(3, dim=-1)
        if past is not None:
            k, v = self.joined(past[0], k), self.joined(past[1], v)
        return self.attend(q, k, v), (k, v)

    def joined(self, before: Tensor, new: Tensor) -> Tensor:
        return torch.cat([before, new], dim=1)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        mask = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).tril(k.shape[1] - q.shape[1])
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


class MaskOfTheStep(Attention):
    """The mask has the length of the step, and so lets it see the first key alone."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        mask = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).tril()
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


class SquareMask(Attention):
    """The mask is not extended to the cached length, and does not fit."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        mask = torch.ones(q.shape[1], q.shape[1]).tril().log()
        mask = F.pad(mask, (0, 1)) if q.shape[1] == 1 else mask
        return ((q @ k.transpose(1, 2)) * 8**-0.5 + mask).softmax(-1) @ v


class ShiftOfTheBatch(nn.Module):
    """Mixes each position with the last one, which for a single position is broadcast over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.full((8,), 0.5))

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if state is not None and x.shape[1] == 1:
            return x * self.mix + state * (1 - self.mix), x[:, -1]
        start = torch.zeros_like(x[:, :1]) if state is None else state[:, None]
        shifted = torch.cat([start, x[:, :-1]], dim=1)
        return x * self.mix + shifted * (1 - self.mix), x[:, -1]


class JoinedAlongTheBatch(Attention):
    """Keys are concatenated along the batch, and the first half is used."""

    def joined(self, before: Tensor, new: Tensor) -> Tensor:
        return torch.cat([before[:, -new.shape[1] :], new], dim=0)[: len(new)]


class AddsInPlace(Attention):
    """The cached values are scaled in place at each use."""

    def joined(self, before: Tensor, new: Tensor) -> Tensor:
        joined = torch.cat([before, new], dim=1)
        before.mul_(2.0)
        return joined


class IgnoresTheCache(Attention):
    """Takes the cache and attends to the step alone."""

    def joined(self, before: Tensor, new: Tensor) -> Tensor:
        return new


class Bidirectional(Attention):
    """Attends to all positions, so that a prefix is no part of the whole."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v)


class Optional(Attention):
    """Causal if it is asked to be, with positions that start anew."""

    def __init__(self, is_causal: bool = False) -> None:
        super().__init__()
        self.is_causal = is_causal
        self.positions = nn.Embedding(6, 8)

    def forward(self, x: Tensor, past: KeysValues | None = None) -> tuple[Tensor, KeysValues]:
        return super().forward(x + self.positions(torch.arange(x.shape[1])), past)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.is_causal:
            return super().attend(q, k, v)
        return F.scaled_dot_product_attention(q, k, v)


@dataclass
class Output:
    logits: Tensor
    past_key_values: list[KeysValues] | None


class Decoder(nn.Module):
    """Two layers over ids with positions, which return their caches if they are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.positions = nn.Embedding(10, 8), nn.Embedding(6, 8)
        self.layers = nn.ModuleList([Attention(), Attention()])

    def forward(
        self,
        input_ids: Tensor,
        past_key_values: list[KeysValues] | None = None,
        use_cache: bool = False,
    ) -> Output:
        caches = []
        start = self.start(past_key_values)
        at = torch.arange(start, start + input_ids.shape[1])
        x = self.embed(input_ids) + self.positions(at)
        for number, layer in enumerate(self.layers):
            y, cache = layer(x, past_key_values[number] if past_key_values else None)
            x = x + y
            caches.append(cache)
        return Output(x, caches if use_cache else None)

    def start(self, past: list[KeysValues] | None) -> int:
        return past[0][0].shape[1] if past else 0


class StartsAnew(Decoder):
    """The position does not advance with the cache."""

    def start(self, past: list[KeysValues] | None) -> int:
        return 0


class PositionsGiven(nn.Module):
    """The caller gives the position of the step, by default those from zero on."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.positions = nn.Embedding(10, 8), nn.Embedding(6, 8)
        self.attention = Attention()

    def forward(
        self, ids: Tensor, position_ids: Tensor | None = None, layer_past: KeysValues | None = None
    ) -> tuple[Tensor, KeysValues]:
        at = torch.arange(ids.shape[1]) if position_ids is None else position_ids
        return self.attention(self.embed(ids) + self.positions(at), layer_past)


class OffsetGiven(PositionsGiven):
    """The caller gives the number of cached positions."""

    def forward(  # type: ignore[override]  # another way of giving positions
        self, ids: Tensor, start_pos: int = 0, cache: KeysValues | None = None
    ) -> tuple[Tensor, KeysValues]:
        at = torch.arange(start_pos, start_pos + ids.shape[1])
        return self.attention(self.embed(ids) + self.positions(at), cache)


class TakesTheWhole(Attention):
    """With a cache it takes all of the input and returns the last position."""

    def forward(self, x: Tensor, cache: KeysValues | None = None) -> tuple[Tensor, KeysValues]:  # type: ignore[override]  # another name
        new = x if cache is None else x[:, cache[0].shape[1] :]
        return super().forward(new, cache)


class Incremental(Attention):
    """Keeps keys and values in a dictionary that the caller owns."""

    def forward(self, x: Tensor, incremental_state: dict[str, KeysValues] | None = None) -> Tensor:  # type: ignore[override]  # a state
        past = incremental_state.get("past") if incremental_state is not None else None
        out, cache = super().forward(x, past)
        if incremental_state is not None:
            incremental_state["past"] = cache
        return out


class ForgetsTheState(Incremental):
    """Writes to the dictionary and reads it under another name."""

    def forward(self, x: Tensor, incremental_state: dict[str, KeysValues] | None = None) -> Tensor:
        state = dict[str, KeysValues]()
        out = super().forward(x, state)
        if incremental_state is not None:
            incremental_state["kept"] = state["past"]
        return out


class Recurrent(nn.Module):
    """A recurrent layer whose state is attached to the graph of the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 8, batch_first=True)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.gru(x, state)


class RequiredState(Recurrent):
    """The state is an argument that every call has to give."""

    def forward(self, x: Tensor, hx: Tensor) -> tuple[Tensor, Tensor]:
        return self.gru(x, hx)


class TimeFirst(nn.Module):
    """Positions lie on the first axis."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 8)

    def forward(self, x: Tensor, hidden: KeysValues | None = None) -> tuple[Tensor, KeysValues]:
        return self.lstm(x, hidden)


class StateOfTheStart(Recurrent):
    """Returns the state before the step instead of the one after it."""

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        start = torch.ones(1, len(x), 8, dtype=x.dtype) if state is None else state
        return self.gru(x, start)[0], start


class ByPosition(nn.Module):
    """No position depends on an earlier one."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        return self.linear(x), x[:, -1] if state is None else state


class Streamed(nn.Module):
    """A causal convolution over signals, whose cache holds the last inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(8, 8, 4)

    def forward(self, x: Tensor, cache: Tensor | None = None) -> tuple[Tensor, Tensor]:
        cache = x.new_zeros(*x.shape[:2], 3) if cache is None else cache
        joined = torch.cat([cache, x], dim=2)
        return self.conv(joined), self.kept(joined, x)

    def kept(self, joined: Tensor, x: Tensor) -> Tensor:
        return joined[..., -3:]


class StreamedOfTheStep(Streamed):
    """The cache holds the inputs of the last step alone."""

    def kept(self, joined: Tensor, x: Tensor) -> Tensor:
        return F.pad(x[..., -3:], (3 - min(3, x.shape[2]), 0))


class HalfOfTheState(nn.Module):
    """Takes its state in two arguments, and starts anew with one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 8, batch_first=True)

    def forward(
        self, x: Tensor, h0: Tensor | None = None, c0: Tensor | None = None
    ) -> tuple[Tensor, KeysValues]:
        return self.lstm(x, None if h0 is None or c0 is None else (h0, c0))


def cases() -> Iterator[Case]:
    yield sound(discovered(Attention, SEQUENCES))
    yield sound(discovered(Decoder, IDS))
    yield sound(discovered(PositionsGiven, IDS))
    yield sound(discovered(OffsetGiven, IDS))
    yield sound(discovered(TakesTheWhole, SEQUENCES))
    yield sound(discovered(Incremental, SEQUENCES))
    yield sound(discovered(Recurrent, SEQUENCES))
    yield sound(discovered(RequiredState, SEQUENCES, STATE))
    yield sound(discovered(TimeFirst, TIME_FIRST))
    yield broken(discovered(StartsAnew, IDS), "steps")
    yield broken(discovered(Optional, SEQUENCES), "steps")
    yield broken(discovered(MaskOfTheStep, SEQUENCES), "steps")
    yield broken(discovered(ShiftOfTheBatch, SEQUENCES), "steps")
    yield broken(discovered(JoinedAlongTheBatch, SEQUENCES), "steps")
    yield broken(discovered(StateOfTheStart, SEQUENCES), "ignored")
    yield broken(discovered(IgnoresTheCache, SHORT), "ignored")
    yield broken(discovered(SquareMask, SEQUENCES), "refused")
    yield broken(discovered(AddsInPlace, SEQUENCES), "reuse")
    yield broken(discovered(IgnoresTheCache, SEQUENCES), "ignored")
    yield broken(discovered(ForgetsTheState, SEQUENCES), "ignored")
    yield inconclusive(discovered(Bidirectional, SEQUENCES), "")
    yield inconclusive(discovered(ByPosition, SEQUENCES), "")
    yield inconclusive(discovered(ByPosition, ROWS), "")
    yield sound(discovered(Streamed, SIGNALS))
    yield broken(discovered(StreamedOfTheStep, SIGNALS), "steps")
    yield inconclusive(discovered(HalfOfTheState, SEQUENCES), "")
