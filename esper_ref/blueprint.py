"""What a blueprint is: a named recipe for a seed, with its cost as a function of width."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeVar

import torch
from torch import nn

from esper_ref.errors import BlueprintError
from esper_ref.topology import LAYOUTS, Topology, require_topology

# What may be passed to a blueprint besides its width: plain, so that a checkpoint can hold it.
BlueprintOption = int | float | bool | str

Factory = TypeVar("Factory", bound=Callable[..., nn.Module])


@dataclass(frozen=True)
class BlueprintSpec:
    """One registered blueprint.

    A seed made of it is the identity at birth, exactly, and can learn from its first step on:
    the zero that makes it the identity is in the last factor that stays linear on a live branch.
    No option changes the number of parameters.

    A factory that takes `causal` gets the host's word on it. A `bidirectional` one lets a
    position see later ones whatever the host is, and a causal host refuses it.
    """

    name: str
    topology: Topology
    factory: Callable[..., nn.Module]
    param_count: Callable[[int], int]
    bidirectional: bool = False

    @cached_property
    def takes_causal(self) -> bool:
        """Return whether the factory asks if the host is causal."""
        return "causal" in inspect.signature(self.factory).parameters

    def options_in(
        self, *, causal: bool, options: Mapping[str, BlueprintOption]
    ) -> dict[str, BlueprintOption]:
        """Return the options of a seed in a host that is causal or not.

        A seed that looks ahead in a causal host raises `BlueprintError`.
        """
        chosen = {"causal": causal, **options} if self.takes_causal else dict(options)
        if causal and (self.bidirectional or chosen.get("causal") is False):
            raise BlueprintError(
                f"{self.topology} blueprint {self.name!r} lets a position see later ones, and the "
                "host is causal. Choose another blueprint, or a host that is not causal."
            )
        return chosen

    def param_estimate(self, dim: int) -> int:
        """Return the number of parameters at width `dim`, by formula. It is no approximation."""
        return self.param_count(_require_width(self, dim))

    def actual_param_count(self, dim: int) -> int:
        """Count the parameters of a real seed, built on the meta device: it takes no memory."""
        with torch.device("meta"):
            seed = self.build(dim)
        return sum(parameter.numel() for parameter in seed.parameters())

    def build(self, dim: int, **options: BlueprintOption) -> nn.Module:
        """Return a new seed for features of width `dim`."""
        return self.factory(_require_width(self, dim), **options)


def _require_width(spec: BlueprintSpec, dim: int) -> int:
    if dim < 1:
        raise BlueprintError(f"blueprint {spec.name!r}: got width {dim}, expected 1 or more")
    return dim


class BlueprintRegistry:
    """All blueprints by topology and name. The files in `blueprints/` register themselves."""

    _specs: ClassVar[dict[tuple[Topology, str], BlueprintSpec]] = {}

    @classmethod
    def register(
        cls,
        name: str,
        topology: str,
        param_count: Callable[[int], int],
        *,
        bidirectional: bool = False,
    ) -> Callable[[Factory], Factory]:
        """Decorate a class or function that makes a seed of a given width."""
        key = (require_topology(topology), name)

        def add(factory: Factory) -> Factory:
            if key in cls._specs:
                raise BlueprintError(
                    f"{topology} blueprint {name!r} is already registered, as "
                    f"{cls._specs[key].factory}; unregister it first or choose another name"
                )
            cls._specs[key] = BlueprintSpec(name, key[0], factory, param_count, bidirectional)
            return factory

        return add

    @classmethod
    def unregister(cls, topology: str, name: str) -> None:
        """Remove a blueprint.

        A name that is not registered is an error.
        """
        spec = cls.get(topology, name)
        del cls._specs[spec.topology, spec.name]

    @classmethod
    def get(cls, topology: str, name: str) -> BlueprintSpec:
        """Return a blueprint, or say which there are."""
        key = (require_topology(topology), name)
        if key not in cls._specs:
            names = ", ".join(sorted(n for t, n in cls._specs if t == topology))
            raise BlueprintError(f"{topology} blueprint {name!r} does not exist; there are {names}")
        return cls._specs[key]

    @classmethod
    def create(cls, topology: str, name: str, dim: int, **kwargs: BlueprintOption) -> nn.Module:
        """Return a new seed of the named blueprint."""
        return cls.get(topology, name).build(dim, **kwargs)

    @classmethod
    def list_for_topology(cls, topology: str) -> list[BlueprintSpec]:
        """Return a topology's blueprints, cheapest at its usual width first, then by name."""
        width = LAYOUTS[require_topology(topology)].usual_width
        specs = [spec for spec in cls._specs.values() if spec.topology == topology]
        return sorted(specs, key=lambda spec: (spec.param_estimate(width), spec.name))
