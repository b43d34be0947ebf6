"""The subjects file by which the third-party library is probed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from esper_audit.subject import (
    Blend,
    Blueprint,
    Catalogue,
    Checkpointed,
    Subject,
    promise,
    sequences,
)
from support.third_party_library import COSTS, REGISTRY, Adapter, Socket

RECIPES = {name: (partial(Adapter, rank=rank), COSTS[name]) for name, rank in REGISTRY.items()}


def subjects() -> Iterator[Subject]:
    yield Catalogue(
        name="costs", build=lambda: RECIPES, dims=(8, 64), promises=[promise("param-estimate")]
    )
    for name, (build, cost) in RECIPES.items():
        yield Blueprint(
            name=name,
            build=build,
            estimate=cost,
            inputs=sequences,
            dims=(8, 1),
            promises=[
                promise("identity-at-birth"),
                promise("learns-at-birth"),
                promise("shape-preserving"),
                promise("causality"),
                promise("fullgraph"),
            ],
        )
    states = {"training": lambda _: None, "blending": lambda socket: socket.open(0.5)}
    yield Blend(
        name="socket",
        build=Socket,
        inputs=sequences,
        dims=(8,),
        states=states,
        features=lambda socket, x: socket.host(x),
        blend=lambda socket, h: socket.join(h),
        direct=direct,
        host=lambda socket: [socket.host],
        seed=lambda socket: [socket.seed],
        promises=[
            promise("seed-input-isolation"),
            promise("straight-through", in_states=("training",)),
            promise("fullgraph"),
        ],
    )
    kept = [promise("checkpoint-round-trip")]
    yield Checkpointed(
        name="saved", build=Socket, inputs=sequences, dims=(8,), states=states, promises=kept
    )


def direct(socket: Socket, h: Tensor) -> Tensor:
    return torch.lerp(h, socket.seed(h.detach()).detach(), socket.share)
