"""The blending operators, and the learned gate with its statistics.

Letters: h host features, s seed output, u the tensor fed to the seed, a alpha in [0, 1].
Alpha is a tensor: a Python float would be baked into a compiled graph and recompile it at every
step of a ramp. Every operator returns h's dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from esper_ref.errors import BlendError
from esper_ref.strict import number, read, require_keys
from esper_ref.topology import LAYOUTS, require_features, require_topology

if TYPE_CHECKING:
    from collections.abc import Mapping


def blend_add(host_features: Tensor, seed_features: Tensor, alpha: Tensor) -> Tensor:
    """Return lerp(h, s, a): h at a = 0, s at a = 1, both exactly."""
    dtype = host_features.dtype
    return torch.lerp(host_features, seed_features.to(dtype), alpha.to(dtype))


def multiply_valve_multiplier(alpha: Tensor, modulation: Tensor) -> Tensor:
    """Return 1 + a tanh(m), which lies in [1 - a, 1 + a]."""
    return 1.0 + alpha * torch.tanh(modulation)


def blend_multiply(
    host_features: Tensor, seed_features: Tensor, alpha: Tensor, *, seed_input: Tensor
) -> Tensor:
    """Return h (1 + a tanh(s - u)).

    `seed_input` is u, and has no default: with a detached u, d/dh is exactly the multiplier; with
    u = h the host also gets a gradient through the subtraction. Coupling is asked for by passing
    `host_features`, never by leaving an argument out.
    """
    multiplier = multiply_valve_multiplier(alpha, seed_features - seed_input)
    return host_features * multiplier.to(host_features.dtype)


def gate_effective_alpha(alpha: Tensor, gate: Tensor) -> Tensor:
    """Return a gate: the timeline's share times the gate's, broadcast over features."""
    return alpha * gate


def blend_gate(host_features: Tensor, seed_features: Tensor, alpha: Tensor, gate: Tensor) -> Tensor:
    """Return lerp(h, s, a gate): convex for a gate in [0, 1], which broadcasts against h."""
    return blend_add(host_features, seed_features, gate_effective_alpha(alpha, gate))


@dataclass(frozen=True)
class GateStatistics:
    """What the gate did in the last forward: detached scalars, so that recording never syncs."""

    mean: Tensor
    std: Tensor
    min: Tensor
    max: Tensor

    @classmethod
    def of(cls, gate: Tensor) -> GateStatistics:
        """Summarise a gate of any shape.

        `std` is that of the values themselves (no n - 1).
        """
        values = gate.detach().float()
        return cls(values.mean(), values.std(correction=0), values.amin(), values.amax())

    def to_dict(self) -> dict[str, float]:
        """Return plain numbers. This is where the host waits for the device."""
        return {
            "mean": self.mean.item(),
            "std": self.std.item(),
            "min": self.min.item(),
            "max": self.max.item(),
        }

    @classmethod
    def from_dict(cls, d: Mapping[str, object]) -> GateStatistics:
        """Return what `to_dict` wrote.

        A missing or unknown key is an error.
        """
        require_keys("GateStatistics", d, ("mean", "std", "min", "max"))
        values = {name: read("GateStatistics", d, name, number) for name in d}
        return cls(**{name: torch.tensor(value) for name, value in values.items()})


class GatedBlend(nn.Module):
    """A learned gate: how much of the seed to let in, by what the features hold.

    pool -> Linear(C, h) -> ReLU -> Linear(h, 1) -> sigmoid, with h = max(8, C // 4).

    Credit assignment. A gated blend has two levels of control. The controller's alpha is the
    *timeline*: a policy chooses it, and it is what `SeedMetrics.current_alpha` reports. The gate
    is *learned* beside the seed and weighs each sample. A good outcome may be owed to either, and
    alpha alone cannot tell which. So every forward leaves its `GateStatistics` on the slot's
    metrics for a policy to see, and decisions read the counterfactual contribution, which
    compares the blend as it is with no blend at all.

    A picture is pooled whole. In a causal host a text is pooled by the running mean over the
    positions up to t: a mean over all of them would carry later tokens into earlier logits. A
    host that is not causal gets one gate for the whole text.

    `channels` and `total_steps` below 1 raise `BlendError`.
    """

    def __init__(
        self,
        channels: int,
        topology: str = "cnn",
        total_steps: int = 10,
        *,
        causal: bool = True,
    ) -> None:
        super().__init__()
        for name, value in (("channels", channels), ("total_steps", total_steps)):
            if value < 1:
                raise BlendError(f"GatedBlend: got {name} = {value}, expected 1 or more")
        self.topology = require_topology(topology)
        self.channels, self.total_steps = channels, total_steps
        layout = LAYOUTS[self.topology]
        self.channel_axis = layout.channel_axis
        self.position_axis = layout.position_axis if causal else None
        hidden = max(8, channels // 4)
        self.gate = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def get_alpha(self, step: int) -> float:
        """Return the timeline's alpha after `step` of `total_steps`, whatever the gate learned."""
        return 1.0 if step >= self.total_steps else max(0, step) / self.total_steps

    def get_alpha_for_blend(self, x: Tensor) -> Tensor:
        """Return the gate in (0, 1): (batch, 1, 1, 1) for pictures, (batch, tokens, 1) for text.

        Where the host is not causal, the gate of a text is (batch, 1, 1). `x` has the layout of
        the topology. Another rank or width raises `TopologyError`.
        """
        require_features(x, self.topology, self.channels, "GatedBlend")
        axes = [axis for axis in range(1, x.dim()) if axis != self.channel_axis]
        if self.position_axis is not None:
            x = causal_mean(x, self.position_axis)
            axes.remove(self.position_axis)
        pooled = x.mean(dim=axes, keepdim=True) if axes else x
        gate = self.gate(pooled.movedim(self.channel_axis, -1))  # channels last, for the Linear
        return torch.sigmoid(gate).movedim(-1, self.channel_axis)


def causal_mean(x: Tensor, axis: int = 1) -> Tensor:
    """Return the mean over positions 0..t of an axis at each t, summed in float32 or wider."""
    shape = [-1 if i == axis else 1 for i in range(x.dim())]
    count = torch.arange(1, x.shape[axis] + 1, device=x.device).view(shape)
    total = x.cumsum(dim=axis, dtype=torch.promote_types(x.dtype, torch.float32))
    return (total / count).to(x.dtype)  # the shape of x
