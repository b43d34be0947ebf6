"""What a slot costs: forward and backward against the same module written inline by hand.

    python benchmarks/slot_overhead.py [--quick] [--batches 1,32] [--compiled-batches 32]

The peer is the physical limit: a plain module whose forward calls the same blocks and, where a
seed is, the same seed and the shortest formula, with no slot, stage, policy or check. Where slots
are dormant that is the bare host. Model and peer share their weights and are timed in turns in one
process, in processor seconds, on one thread; a figure is the median of the ratios of the pairs.
`noise` is the same measurement with the peer on both sides: what lies within it is nothing. At batch 1
the aim is a time for each slot: the median of the differences of the pairs, divided by the slots.
`baked` is a fossilized model after `bake`, whose forward has no slot.
"""

from __future__ import annotations

import argparse
import gc
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from inline_peers import HALF, InlineCNN, InlineTransformer
from torch import Tensor, nn

from esper_ref import (
    CNNHost,
    GateThresholds,
    IsolationPolicy,
    MorphogeneticModel,
    QualityGates,
    SeedStage,
    SlotRules,
    TransformerHost,
    bake,
)
from esper_ref.growth.table import markdown_table
from esper_ref.topology import Topology

BLUEPRINTS: dict[Topology, str] = {"cnn": "conv_light", "transformer": "mlp_small"}
STAGES = (SeedStage.DORMANT, SeedStage.TRAINING, SeedStage.BLENDING, SeedStage.FOSSILIZED)
BAKED = "baked"
BATCHES = (1, 32, 256)
SECONDS, QUICK_SECONDS = 2.4, 0.6  # of processor time for each comparison
AIM_DORMANT, AIM_ACTIVE = 1.01, 1.03  # times the inline module's own time
AIM_BAKED = 1.00
MICROSECONDS_DORMANT, MICROSECONDS_ACTIVE = 10.0, 25.0  # for each slot, at batch 1
SMALLEST_BATCH_OF_AIM = 32
SHORTEST_SAMPLE = 0.002  # processor seconds: below it the clock and the collector show
FEWEST_PAIRS = 15


def build(topology: Topology, stage: SeedStage) -> tuple[nn.Module, nn.Module]:
    """Return a model with a seed at `stage` in every slot, and its peer with the same weights."""
    torch.manual_seed(0)
    host: CNNHost | TransformerHost = CNNHost(10, 3, base_channels=16, in_channels=1)
    if topology == "transformer":
        host = TransformerHost(103, n_embd=64, n_head=4, n_layer=2, block_size=64, num_segments=2)
    slot_ids = [spec.slot_id for spec in host.injection_specs()]
    model = MorphogeneticModel(host, slots=slot_ids, rules=RULES)
    for slot_id in slot_ids:
        lead(model, slot_id, topology, stage)
    if stage is SeedStage.DORMANT:
        return model, host
    seeds = [seed for s in slot_ids if (seed := model.slot(s).seed) is not None]
    if isinstance(host, CNNHost):
        return model, InlineCNN(host, seeds, stage)
    return model, InlineTransformer(host, seeds, stage)


# Gates that let any measured seed through: the stages are wanted here, not the judgement.
OPEN = GateThresholds(
    gradient_ratio=0.0,
    min_training_epochs=1,
    min_improvement=-101.0,
    shadow_epochs=1,
    max_contribution_spread=1000.0,
    min_contribution=-101.0,
    contribution_epochs=1,
)
# As `grow` has it: what is fossilized is an ordinary part of the network.
RULES = SlotRules(
    gates=QualityGates(OPEN),
    isolation=IsolationPolicy().with_coupling("cnn", SeedStage.FOSSILIZED),
)


def lead(model: MorphogeneticModel, slot_id: str, topology: Topology, stage: SeedStage) -> None:
    """Lead a slot to `stage`, giving the gates what they ask for."""
    slot = model.slot(slot_id)
    if stage is SeedStage.DORMANT:
        return
    slot.germinate(BLUEPRINTS[topology], blend_epochs=2)
    while slot.state.stage is not stage:
        slot.state.metrics.seed_gradient_norm_ratio = 1.0
        slot.state.metrics.record_accuracy(50.0)
        slot.state.metrics.record_counterfactual(1.0)
        slot.step_epoch()
    if stage is SeedStage.BLENDING:
        slot.set_alpha(HALF)


def inputs(topology: Topology, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    if topology == "cnn":
        return torch.randn(batch, 1, 16, 16, generator=generator)
    return torch.randint(0, 103, (batch, 32), generator=generator)


Step = Callable[[], None]


def step_of(module: nn.Module, x: Tensor) -> Step:
    """Return one forward and backward as a call."""
    parameters = list(module.parameters())

    def step() -> None:
        for parameter in parameters:
            parameter.grad = None
        module(x).sum().backward()

    return step


@dataclass(frozen=True)
class Mode:
    """How the modules are run, for which batch sizes, and for how many processor seconds each."""

    name: str
    batches: tuple[int, ...]
    seconds: float

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return what is called: the module, or the module compiled."""
        if self.name == "eager":
            return module
        return torch.compile(module, fullgraph=True, dynamic=False)  # type: ignore[return-value]


@dataclass(frozen=True)
class Cell:
    """The median ratio of the pairs, its 95 % interval, and the peer's own time."""

    ratio: float
    low: float
    high: float
    peer_ms: float
    difference: tuple[float, float, float]  # seconds: median, and its 95 % interval

    def against(self, aim: float) -> str:
        """Return whether the aim is met: told apart from it, on either side, or not."""
        if self.low <= aim < self.high:
            return f"{aim}: not told apart"
        return f"{aim}: met" if self.ratio <= aim else f"{aim}: missed"

    def microseconds(self, slots: int) -> str:
        """Return what a slot costs, with the 95 % interval."""
        middle, low, high = (1e6 * seconds / slots for seconds in self.difference)
        return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def timed(step: Step, repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        step()
    return (time.process_time() - start) / repeats


def compare(ours: Step, peer: Step, seconds: float) -> Cell:
    """Time two steps in turns, first one first and then the other, and compare pair by pair."""
    for step in (ours, peer, ours, peer):
        step()
    repeats = max(1, int(SHORTEST_SAMPLE / max(timed(peer, 3), 1e-6)))
    one_pair = 2 * repeats * timed(peer, 3)
    pairs = max(FEWEST_PAIRS, int(seconds / one_pair))
    ratios, times, differences = [], [], []
    gc.disable()
    for i in range(pairs):
        first, second = (ours, peer) if i % 2 else (peer, ours)
        a, b = timed(first, repeats), timed(second, repeats)
        mine, theirs = (a, b) if i % 2 else (b, a)
        ratios.append(mine / theirs)
        times.append(theirs)
        differences.append(mine - theirs)
    gc.enable()
    low, high = interval_of_median(ratios)
    difference = (median(differences), *interval_of_median(differences))
    return Cell(median(ratios), low, high, 1000.0 * median(times), difference)


def interval_of_median(values: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of the median by order statistics: nothing is assumed normal."""
    ordered, n = sorted(values), len(values)
    away = math.ceil(0.98 * math.sqrt(n))  # 1.96 standard deviations of a fair coin, sqrt(n) / 2
    return ordered[max(0, n // 2 - away)], ordered[min(n - 1, n // 2 + away)]


def measure(topology: Topology, stage: SeedStage | str, mode: Mode) -> list[list[object]]:
    """Return the rows of one host and stage: a row for each batch size."""
    grown, peer = build(topology, SeedStage.FOSSILIZED if isinstance(stage, str) else stage)
    assert isinstance(grown, MorphogeneticModel)
    slots, bare = len(grown.route), grown.get_submodule("host")
    model: nn.Module = bake(grown) if isinstance(stage, str) else grown
    name = stage if isinstance(stage, str) else stage.name.lower()
    same_outputs(model, peer, inputs(topology, 4))
    rows: list[list[object]] = []
    for batch in mode.batches:
        x = inputs(topology, batch)
        torch.compiler.reset()  # every compiled cell begins from nothing
        ours, theirs = (step_of(mode.prepare(m), x) for m in (model, peer))
        cell = compare(ours, theirs, mode.seconds)
        noise = compare(theirs, theirs, mode.seconds / 3)
        over_bare = compare(step_of(model, x), step_of(bare, x), mode.seconds / 3)
        rows.append(row((topology, name, mode.name, batch), cell, noise, over_bare, slots))
        print(".", end="", file=sys.stderr, flush=True)
    return rows


HEADER = (
    "host", "slots", "mode", "batch", "slots / inline", "95 % interval", "noise", "aim", "us a slot", "inline, ms",
    "slots / bare host, eager",
)  # fmt: skip


def row(
    who: tuple[object, ...], cell: Cell, noise: Cell, over_bare: Cell, slots: int
) -> list[object]:
    """Return one line of the table."""
    stage, batch = str(who[1]), int(str(who[3]))
    aims = {"dormant": AIM_DORMANT, BAKED: AIM_BAKED}
    return [
        *who,
        f"{cell.ratio:.3f}",
        f"{cell.low:.3f} to {cell.high:.3f}",
        f"{noise.low:.3f} to {noise.high:.3f}",
        cell.against(aims.get(stage, AIM_ACTIVE))
        if batch >= SMALLEST_BATCH_OF_AIM or stage == BAKED
        else f"{MICROSECONDS_DORMANT if stage == 'dormant' else MICROSECONDS_ACTIVE:g} us a slot",
        cell.microseconds(slots),
        f"{cell.peer_ms:.2f}",
        f"{over_bare.ratio:.2f}",
    ]


def same_outputs(model: nn.Module, peer: nn.Module, x: Tensor) -> None:
    """Make sure that the two compute the same: in eval mode, so that nothing is changed."""
    ours, theirs = model.eval()(x), peer.eval()(x)
    assert torch.equal(ours, theirs), "the peer computes something else"
    model.train()
    peer.train()


def batch_sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="eager only, shorter samples")
    arguments.add_argument("--batches", type=batch_sizes, default=BATCHES, metavar="N,N")
    arguments.add_argument("--compiled-batches", type=batch_sizes, default=(32,), metavar="N,N")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    modes = [Mode("eager", options.batches, QUICK_SECONDS if options.quick else SECONDS)]
    if not options.quick:
        modes.append(Mode("compiled", options.compiled_batches, SECONDS))
    rows = [
        line
        for mode in modes
        for topology in BLUEPRINTS
        for stage in (*STAGES, BAKED)
        for line in measure(topology, stage, mode)
    ]
    print(f"\n{markdown_table(HEADER, rows)}")


if __name__ == "__main__":
    main()
