"""G2 pass rates by blueprint under the three normalisations of the gradient ratio.

    python benchmarks/gradient_ratio_study.py [--seeds 3] [--out reports/studies]

The question is ticket B3-DRL-14's; the report says how it was asked.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import dataclass
from pathlib import Path
from statistics import correlation, fmean, median, stdev
from typing import Any

import torch
from torch import nn

from esper_ref import (
    BlueprintRegistry,
    CNNHost,
    GateThresholds,
    GradientHealthMonitor,
    GradientRatioNormalization,
    MorphogeneticModel,
    TransformerHost,
)
from esper_ref.growth.data import RealData, load_data
from esper_ref.growth.picture import STYLE, load_matplotlib, save_picture
from esper_ref.growth.plan import GrowthPlan, plan_for, random_seed_of
from esper_ref.growth.table import markdown_table
from esper_ref.growth.training import Training
from esper_ref.host import require_host
from esper_ref.topology import Topology

TOPOLOGIES: tuple[Topology, ...] = ("cnn", "transformer")
WARM_UP = 4  # epochs of the host alone before the seeds germinate
EPOCHS = 6  # of training behind the host; G2 is asked after each from its minimum on
STEPS = 20
THRESHOLDS = GateThresholds()
FORMS = tuple(GradientRatioNormalization)
COLOURS = {"sqrt_params": "#D55E00", "mean_abs": "#0072B2", "per_layer_type": "#009E73"}

INTRODUCTION = """# Gradient ratio by blueprint

Made by `python benchmarks/gradient_ratio_study.py`. The question is ticket B3-DRL-14's: does the
factor sqrt(host_params / seed_params) prefer architectures for reasons that are not their own, and
does it disadvantage small seeds?

Every blueprint is trained behind a host on real data (digits; the Python language reference) in
every slot, {seeds} random seeds; the host is warmed up for {warm} epochs of {steps} steps, then the
seeds train for {epochs} epochs. One run serves all three normalisations: a seed in TRAINING leaves
the host's gradients as they are, so the three look at the same gradients. From the third epoch on
G2 asks for the ratio once an epoch; a pass is a ratio at or over the threshold.
The *even* threshold of a normalisation is the one that half of all seeds that learn would pass: it
takes the scale out, and leaves the bias. A cell below is: median ratio, share of passes at the
default threshold 0.05, share of passes at the even threshold.

![ratio by blueprint](gradient_ratio.svg)
"""
CONCLUSION = """
A negative rank correlation says that small seeds have the larger ratios, so that a common threshold
favours them; a positive one that it disadvantages them. It is taken between blueprints within one
slot and random seed, where host, data and depth are the same.

The ticket feared for small seeds. Wherever the sign is negative it is the large ones that a common
threshold holds back, and the square root is part of the reason. It is not all of it: a difference
between architectures is left under every form (see `norm` in the transformer), and only a table of
thresholds by blueprint answers that. MEAN_ABS and PER_LAYER_TYPE have other scales: to use one of
them is to set its thresholds anew.
"""


@dataclass(frozen=True)
class Asked:
    """One time that G2 asked for a ratio."""

    topology: Topology
    blueprint: str
    slot_id: str
    random_seed: int
    epoch: int
    parameters: int
    ratios: dict[GradientRatioNormalization, float]


def build_host(topology: Topology, data: RealData) -> nn.Module:
    """Return a host of ordinary proportions; wide enough that blueprints differ in size."""
    if topology == "cnn":
        return CNNHost(data.classes, 3, base_channels=16, in_channels=1, pooled_blocks=2)
    window = data.training.inputs.shape[1]
    return TransformerHost(data.classes, 48, 4, 2, block_size=window, num_segments=2)


def measure(topology: Topology, random_seeds: int) -> list[Asked]:
    """Train every blueprint in every slot, for every random seed."""
    plan = plan_for(topology, epochs=WARM_UP + EPOCHS, steps=STEPS)
    data = load_data(topology)
    asked = []
    for random_seed in range(random_seeds):
        torch.manual_seed(random_seed_of(random_seed, 0))
        host = build_host(topology, data)
        training = Training(plan, host, random_seed)
        training.take_up("host", host.parameters())
        for epoch in range(1, WARM_UP + 1):
            training.epoch(epoch, data.training, lambda: None)
        for spec in BlueprintRegistry.list_for_topology(topology):
            asked += ask_one(spec.name, plan, data, copy.deepcopy(training))
    return asked


def ask_one(blueprint: str, plan: GrowthPlan, data: RealData, training: Training) -> list[Asked]:
    """Train one blueprint behind the warmed-up host of `training`, and note the ratios."""
    host = training.model
    slot_ids = [spec.slot_id for spec in require_host(host).injection_specs()]
    model = MorphogeneticModel(host, slots=slot_ids)
    training.model = model
    watched = []
    for slot in map(model.slot, slot_ids):
        slot.germinate(blueprint, host_module=host)
        slot.advance_stage()
        training.take_up(slot.slot_id, slot.parameters())
        watched.append((slot, {form: GradientHealthMonitor(form) for form in FORMS}))

    def observe() -> None:
        for slot, monitors in watched:
            for monitor in monitors.values():
                monitor.observe(host, *slot.parts())

    asked = []
    for epoch in range(1, EPOCHS + 1):
        training.epoch(WARM_UP + epoch, data.training, observe)
        for slot, monitors in watched if epoch >= THRESHOLDS.min_training_epochs else ():
            ratios = {form: monitor.ratio() or 0.0 for form, monitor in monitors.items()}
            count = sum(p.numel() for p in slot.parameters())
            who = (plan.host, blueprint, slot.slot_id, training.random_seed, epoch)
            asked.append(Asked(*who, count, ratios))
    return asked


def pass_rate(asked: list[Asked], form: GradientRatioNormalization, threshold: float) -> float:
    """Return the share of times in which the ratio opened G2, in percent."""
    return 100.0 * fmean(a.ratios[form] >= threshold for a in asked)


def even_threshold(asked: list[Asked], form: GradientRatioNormalization) -> float:
    """Return the threshold that half of all seeds that learn would pass.

    The three forms have three scales. At one threshold they let through more or less of
    everything; at this one, what differs between blueprints is the bias alone.
    """
    return median(a.ratios[form] for a in asked if a.parameters > 0)


def rank_correlation(x: list[float], y: list[float]) -> float:
    """Return Spearman's rank correlation."""
    return correlation(ranks_of(x), ranks_of(y))


def ranks_of(values: list[float]) -> list[float]:
    """Return the ranks of values, those of ties averaged."""
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) - 1) / 2 for v in values]


def size_correlations(asked: list[Asked], form: GradientRatioNormalization) -> list[float]:
    """Return, for each slot and random seed, how the ratio goes with the parameter count.

    Within one slot and seed the host, the data and the depth are the same: what is left to differ
    is the blueprint. The ratio is the mean over the epochs in which G2 asked.
    """
    found = []
    for slot_id, random_seed in sorted({(a.slot_id, a.random_seed) for a in asked}):
        here = [a for a in asked if (a.slot_id, a.random_seed) == (slot_id, random_seed)]
        names = sorted({a.blueprint for a in here if a.parameters > 0})
        by_name = [[a for a in here if a.blueprint == name] for name in names]
        sizes = [float(group[0].parameters) for group in by_name]
        found.append(
            rank_correlation(sizes, [fmean(a.ratios[form] for a in group) for group in by_name])
        )
    return found


def blueprint_table(asked: list[Asked]) -> str:
    """Return one topology's ratios and pass rates by blueprint, smallest first."""
    rows = []
    for spec in BlueprintRegistry.list_for_topology(asked[0].topology):
        mine = [a for a in asked if a.blueprint == spec.name]
        sizes = sorted({a.parameters for a in mine})
        size = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        cells = [
            f"{median(a.ratios[form] for a in mine):.3f}, "
            f"{pass_rate(mine, form, THRESHOLDS.gradient_ratio):.0f} %, "
            f"{pass_rate(mine, form, even_threshold(asked, form)):.0f} %"
            for form in FORMS
        ]
        rows.append([spec.name, size, *cells])
    header = ["blueprint", "parameters", *FORMS]
    return markdown_table(header, rows)


def correlation_table(asked: list[Asked]) -> str:
    """Return how each form's ratio goes with size in one topology."""
    rows = []
    for form in FORMS:
        found = size_correlations(asked, form)
        learning = [a for a in asked if a.parameters > 0]
        rows.append(
            [
                form.value,
                f"{fmean(found):+.2f} ± {stdev(found):.2f}",
                f"{min(found):+.2f} to {max(found):+.2f}",
                f"{even_threshold(asked, form):.4f}",
                f"{pass_rate(learning, form, THRESHOLDS.gradient_ratio):.0f} %",
            ]
        )
    header = ["normalisation", "rank correlation with size", "range", "even threshold"]
    return markdown_table([*header, "pass at 0.05, all that learn"], rows)


def verdict(asked: list[Asked], form: GradientRatioNormalization) -> str:
    """Return what one form does to small seeds in one topology, as far as the numbers say."""
    found = size_correlations(asked, form)
    name = f"In the {asked[0].topology}, under `{form}`,"
    spread = f"mean rank correlation with size {fmean(found):+.2f}, {min(found):+.2f} to {max(found):+.2f}"
    if min(found) < 0.0 < max(found):
        return f"{name} slots and random seeds disagree ({spread})"
    side = "smaller" if fmean(found) < 0 else "larger"
    return f"{name} {side} seeds have the larger ratios, in every slot and random seed ({spread})"


def report(by_topology: dict[Topology, list[Asked]], random_seeds: int) -> str:
    """Return the study as Markdown."""
    text = INTRODUCTION.format(seeds=random_seeds, steps=STEPS, warm=WARM_UP, epochs=EPOCHS) + "\n"
    for topology, asked in by_topology.items():
        text += f"## {topology}\n\n{blueprint_table(asked)}\n{correlation_table(asked)}\n"
    text += "## What it says\n\n"
    for asked in by_topology.values():
        text += "".join(f"- {verdict(asked, form)}.\n" for form in FORMS)
    return text + CONCLUSION


def draw(by_topology: dict[Topology, list[Asked]], path: Path) -> None:
    """Draw the ratios of every blueprint, smallest below, a panel a topology and normalisation."""
    pyplot = load_matplotlib()
    with pyplot.rc_context(STYLE):
        figure, grid = pyplot.subplots(
            len(by_topology), len(FORMS), figsize=(11, 6), sharex="row", layout="constrained"
        )
        for row, (topology, asked) in zip(grid, by_topology.items(), strict=True):
            for axes, form in zip(row, FORMS, strict=True):
                draw_panel(axes, [a for a in asked if a.parameters > 0], form)
                axes.set_title(f"{topology}, {form}", loc="left", fontsize=9)
            for axes in row[1:]:
                axes.set_yticklabels([])
        for axes in grid[-1]:
            axes.set_xlabel("gradient ratio (log)")
        figure.suptitle(
            "Gradient ratio by blueprint, smallest seed below: median, and lowest to highest over "
            "slots,\nrandom seeds and epochs. Dashed: the default threshold. Dotted: the even one.",
            fontsize=10,
        )
        save_picture(figure, path)
        pyplot.close(figure)


def draw_panel(axes: Any, asked: list[Asked], form: GradientRatioNormalization) -> None:
    """Draw one topology's ratios under one normalisation."""
    present = {a.blueprint for a in asked}
    specs = BlueprintRegistry.list_for_topology(asked[0].topology)
    names = [spec.name for spec in specs if spec.name in present]
    for height, name in enumerate(names):
        ratios = [a.ratios[form] for a in asked if a.blueprint == name]
        axes.plot([min(ratios), max(ratios)], [height] * 2, color=COLOURS[form], linewidth=1.5)
        axes.plot([median(ratios)], [height], "o", color=COLOURS[form], markersize=5)
    axes.axvline(THRESHOLDS.gradient_ratio, color="black", linestyle="--", linewidth=0.9)
    axes.axvline(even_threshold(asked, form), color="black", linestyle=":", linewidth=0.9)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--out", type=Path, default=Path("reports/studies"))
    options = arguments.parse_args()
    torch.set_num_threads(1)
    by_topology = {topology: measure(topology, options.seeds) for topology in TOPOLOGIES}
    options.out.mkdir(parents=True, exist_ok=True)
    text = report(by_topology, options.seeds)
    (options.out / "gradient_ratio.md").write_text(text, encoding="utf-8")
    draw(by_topology, options.out / "gradient_ratio.svg")
    print(text)


if __name__ == "__main__":
    main()
