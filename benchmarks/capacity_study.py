"""Does growing help where capacity is short? A host that is too small for its data, over random seeds.

    python benchmarks/capacity_study.py [--runs runs/capacity] [--random-seeds 5]

The CNN of the growth study has 4 channels in its first block and is large enough for the digits. Here it has
1 and 2. The arms are those of the growth study: the host alone, grown, and what grew trained whole from the
first step, which has the same parameters. A fourth, *wide*, is a host alone with about as many parameters as
the grown network has: what the parameters would do without any seed. All take the same number of steps, so the
arms with more parameters cost more to train; the table says how much, in multiplications of a forward pass.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch
from torch import nn

from esper_ref.growth.comparison import mean_and_spread
from esper_ref.growth.data import load_data
from esper_ref.growth.life import Arm, Life, build_model
from esper_ref.growth.plan import DEFAULT_PLANS, GrowthPlan
from esper_ref.growth.study import LifeResult, Study, run_study
from esper_ref.growth.table import markdown_table

HOST_WIDTHS = (1, 2)
BLUEPRINTS = ("conv_heavy", "conv_light")
INTRODUCTION = """# Growing where capacity is short

Made by `python benchmarks/capacity_study.py`. Data: handwritten digits, accuracy in percent on a test split that
no gate has seen, {seeds} random seeds. The host is too small for its data: {widths} channels in its first block,
where the growth study has 4. *wide* is a host alone of another width, the one whose number of parameters is nearest to
that of the grown network. Every arm takes the same number of steps; the cost is that of a forward pass, in
thousands of multiplications. Sizes and costs are means over the random seeds.

"""


def plan_of(width: int, random_seeds: int) -> GrowthPlan:
    return replace(
        DEFAULT_PLANS["cnn"], width=width, random_seeds=random_seeds, blueprints=BLUEPRINTS
    )


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def multiplications(model: nn.Module) -> int:
    """Count those of convolutions and linear layers for one picture, by hooks."""
    total = 0

    def count(module: nn.Module, _inputs: object, out: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += out[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += out[0].numel() * module.in_features

    handles = [part.register_forward_hook(count) for part in model.modules()]
    model.eval()(torch.zeros(1, 1, 8, 8))
    for handle in handles:
        handle.remove()
    return total


def wide_life(plan: GrowthPlan, wanted: int, random_seed: int, folder: Path) -> Life:
    """Return the life of the host alone whose size is nearest to `wanted` parameters."""
    data = load_data(plan.host)
    widths = range(1, 24)
    sized = {w: parameters(replace(plan, width=w).build_host(data)) for w in widths}
    del sized[plan.width]  # that is the host alone
    best = min(sized, key=lambda w: abs(sized[w] - wanted))
    wide = replace(plan, width=best)
    model = build_model(Arm.ALONE, wide, data, random_seed, {})
    return Life(wide, data, model, random_seed, folder / f"seed-{random_seed}" / "wide")


def run_wide(plan: GrowthPlan, grown: list[LifeResult], folder: Path) -> list[Life]:
    lives = []
    for life in grown:
        wide = wide_life(plan, life.parameters, life.random_seed, folder)
        wide.resume()
        for _ in wide.epochs():
            pass
        lives.append(wide)
    return lives


def table(study: Study, wide: list[Life]) -> str:
    data = load_data(study.plan.host)
    rows = []
    for arm in (Arm.ALONE, Arm.GROWN, Arm.WHOLE):
        lives = study.of(arm)
        costs = [
            multiplications(build_model(_shape(arm), study.plan, data, 0, grown.fossils))
            for grown in study.of(Arm.GROWN)
        ]
        rows.append(
            _row(
                arm, [life.test_score for life in lives], [life.parameters for life in lives], costs
            )
        )
    models = [life.model for life in wide]
    scores = [life.test_score for life in wide]
    rows.append(
        _row("wide", scores, list(map(parameters, models)), list(map(multiplications, models)))
    )
    header = [
        "arm",
        *(f"seed {life.random_seed}" for life in study.of(Arm.ALONE)),
        "mean ± sd",
        "parameters",
        "cost",
    ]
    return markdown_table(header, rows)


def _shape(arm: Arm) -> Arm:
    """Return the arm whose model has the modules of a finished one: a grown network is a whole one."""
    return Arm.WHOLE if arm is Arm.GROWN else arm


def _row(name: str, scores: list[float], sizes: list[int], costs: list[int]) -> list[object]:
    shown = [f"{score:.2f}" for score in scores]
    return [
        name,
        *shown,
        mean_and_spread(tuple(scores)),
        f"{fmean(sizes):,.0f}",
        f"{fmean(costs) / 1000:.1f}",
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=Path, default=Path("runs/capacity"))
    arguments.add_argument("--out", type=Path, default=Path("reports/studies"))
    arguments.add_argument("--random-seeds", type=int, default=5)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    seeds = options.random_seeds
    text = INTRODUCTION.format(seeds=seeds, widths=" and ".join(map(str, HOST_WIDTHS)))
    for width in HOST_WIDTHS:
        plan, folder = plan_of(width, seeds), options.runs / f"width-{width}"
        resume = (folder / "plan.json").exists()
        study = run_study(plan, folder, torch.device("cpu"), lambda *_: None, resume=resume)
        wide = run_wide(plan, study.of(Arm.GROWN), folder)
        sentences = [study.compare(Arm.GROWN, other).sentence() for other in (Arm.ALONE, Arm.WHOLE)]
        fossils = [len(life.fossils) for life in study.of(Arm.GROWN)]
        text += f"## {width} channels\n\n{table(study, wide)}\n"
        text += "".join(f"- {sentence}.\n" for sentence in sentences)
        text += f"- Seeds that were fossilized, by random seed: {', '.join(map(str, fossils))}.\n\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "capacity.md").write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
