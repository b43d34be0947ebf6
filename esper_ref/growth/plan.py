"""The plan of a run: everything that its result depends on, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from itertools import count
from typing import TYPE_CHECKING

from esper_ref.alpha import AlphaAlgorithm
from esper_ref.blueprint import BlueprintRegistry
from esper_ref.errors import EsperRefError
from esper_ref.gates import GateThresholds, QualityGates
from esper_ref.hosts.cnn import CNNHost
from esper_ref.hosts.transformer import TransformerHost
from esper_ref.isolation import IsolationPolicy
from esper_ref.lifecycle import LifecycleTiming, SeedStage
from esper_ref.policy import EvidenceDriven, GrowthPolicy, RoundRobin
from esper_ref.rules import SlotRules
from esper_ref.topology import Topology, require_topology

if TYPE_CHECKING:
    from torch import nn

    from esper_ref.growth.data import RealData

MOST_SEED = 2**31 - 1
CNN_WIDTH, TRANSFORMER_WIDTH = 4, 32  # channels of the first block, features of a token
POLICIES: dict[str, Callable[[RoundRobin], GrowthPolicy]] = {
    "round-robin": lambda beginning: beginning,
    "evidence": EvidenceDriven,
}


class PlanError(EsperRefError, ValueError):
    """A plan that cannot be carried out, or one that is not the plan of the run to resume."""


@dataclass(frozen=True)
class GrowthPlan:
    """What is grown, on what, for how long.

    An epoch is `steps` steps of `batch` samples. The host trains alone for `warm_up` epochs. Each
    slot tries the `blueprints` in order. The `policy` decides when: `round-robin` has one seed at a
    time in the whole model, so that what a seed does to the metric is its own doing. `evidence` has
    several, and gives some up early. A seed that no gate lets out of TRAINING, or out of SHADOWING,
    within `patience` epochs is culled. A `width` of the host other than 0 replaces its usual one.
    """

    host: Topology
    epochs: int
    blueprints: tuple[str, ...]
    alpha_algorithm: AlphaAlgorithm
    device: str
    random_seeds: int
    steps: int
    batch: int
    learning_rate: float
    warm_up: int = 4
    patience: int = 6
    blend_epochs: int = 5
    policy: str = "round-robin"
    width: int = 0

    def __post_init__(self) -> None:
        for name in self.blueprints:
            BlueprintRegistry.get(self.host, name)
        for name in ("epochs", "random_seeds", "steps", "batch", "patience"):
            if asdict(self)[name] < 1:
                raise PlanError(f"got {name} = {asdict(self)[name]}, expected 1 or more")
        if self.policy not in POLICIES:
            raise PlanError(f"got policy {self.policy!r}, expected one of {', '.join(POLICIES)}")
        if not self.blueprints:
            raise PlanError("got no blueprint, expected at least one to grow")

    @property
    def rules(self) -> SlotRules:
        """The rules of the slots.

        The gates' thresholds are the library's defaults. The isolation policy is the default
        too, with one choice made: in a CNN, whose seeds are isolated while they are judged, the
        layers below a seed go on learning once it is fossilized. A seed on probation does not go
        back to BLENDING, so that its life ends within the run.
        """
        return SlotRules(
            gates=QualityGates(GateThresholds()),
            isolation=IsolationPolicy().with_coupling("cnn", SeedStage.FOSSILIZED),
            timing=LifecycleTiming(
                blend_epochs=self.blend_epochs, run_epochs=self.epochs, most_returns=0
            ),
        )

    @property
    def longest_life(self) -> int:
        """Epochs after which a seed is fossilized or culled for certain."""
        return 2 * self.patience + self.blend_epochs + self.rules.timing.probation_timeout

    def make_policy(self) -> GrowthPolicy:
        """Return the policy of one life."""
        return POLICIES[self.policy](RoundRobin(self.blueprints, self.warm_up, self.longest_life))

    @property
    def is_long_enough(self) -> bool:
        """Return whether a seed can live its whole life after the warm-up."""
        return self.epochs >= self.warm_up + self.longest_life

    @property
    def too_short(self) -> str | None:
        """Return why no seed is planted in this run, or None if its epochs suffice."""
        if self.is_long_enough:
            return None
        longer = (replace(self, epochs=epochs) for epochs in count(self.epochs))
        enough = next(plan.epochs for plan in longer if plan.is_long_enough)
        return (
            f"no seed grows in {self.epochs} epochs: the warm-up takes {self.warm_up}, and the "
            f"life of a seed up to {self.longest_life}. Use --epochs {enough} or more."
        )

    def build_host(self, data: RealData) -> nn.Module:
        """Return a new host that fits the data, drawn from the global random stream."""
        if self.host == "cnn":
            return CNNHost(data.classes, 3, self.width or CNN_WIDTH, in_channels=1, pooled_blocks=2)
        block_size = data.training.inputs.shape[1]
        return TransformerHost(
            data.classes,
            n_embd=self.width or TRANSFORMER_WIDTH,
            n_head=2,
            n_layer=2,
            block_size=block_size,
            num_segments=2,
        )

    def to_json(self) -> str:
        """Return the plan as JSON, to be kept beside what it led to."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def require_same(self, written: str, where: str) -> None:
        """Refuse to go on with a run that began under another plan, and name what differs."""
        found, wanted = json.loads(written), json.loads(self.to_json())
        names = (field.name for field in fields(self))
        differing = [
            f"{n} {found.get(n)} there, {wanted[n]} here"
            for n in names
            if found.get(n) != wanted[n]
        ]
        if differing:
            raise PlanError(
                f"{where} began under another plan ({'; '.join(differing)}). Resume it with the "
                "options it began with, or start anew without --resume."
            )


# Small enough for a few minutes on one core, hard enough that the host alone leaves room.
DEFAULT_PLANS: dict[Topology, GrowthPlan] = {
    "cnn": GrowthPlan(
        host="cnn",
        epochs=60,
        blueprints=("conv_light", "attention"),
        alpha_algorithm=AlphaAlgorithm.ADD,
        device="cpu",
        random_seeds=3,
        steps=20,
        batch=48,
        learning_rate=2e-3,
    ),
    "transformer": GrowthPlan(
        host="transformer",
        epochs=48,
        blueprints=("attention", "mlp_small"),
        alpha_algorithm=AlphaAlgorithm.ADD,
        device="cpu",
        random_seeds=3,
        steps=36,
        batch=16,
        learning_rate=3e-3,
        warm_up=6,
    ),
}


def plan_for(host: str, **choices: object) -> GrowthPlan:
    """Return the default plan of a host with the choices that were made (None: not made)."""
    made = {name: choice for name, choice in choices.items() if choice is not None}
    default = DEFAULT_PLANS[require_topology(host)]
    return replace(default, **made)  # type: ignore[arg-type]  # the command line gave each its type


def random_seed_of(random_seed: int, epoch: int, rank: int = -1) -> int:
    """Return the seed of the random stream of one epoch.

    Rank -1 is what all ranks share.

    Every epoch begins from its own seed. So an interrupted run has no random state to remember,
    and all arms of a comparison see the same batches in the same order.
    """
    return (random_seed * 1_000_003 + epoch * 1_009 + rank + 1) % MOST_SEED
