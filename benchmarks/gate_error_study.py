"""Error rates of gates G2 and G5 on simulated lives, before and after they read a window.

    python benchmarks/gate_error_study.py [--lives 4000] [--out reports/studies]

The library's own gates decide. Only the rule of before is written out here.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esper_ref import (
    GateThresholds,
    LifecycleTiming,
    QualityGates,
    SeedSlot,
    SeedStage,
    SeedState,
    SlotRules,
)
from esper_ref.growth.picture import STYLE, load_matplotlib, save_picture
from esper_ref.growth.table import markdown_table

THRESHOLDS = GateThresholds()
NOISES = (0.1, 0.25, 0.5, 1.0, 2.0)  # standard deviation of one measured contribution, in points
CONTRIBUTIONS = (0.0, 0.25, 0.5, 1.0, 2.0)  # what the seed really adds, in points
PROBATIONS = {5: 50, 10: 100}  # epochs of probation, and the length of the run that allows them
RATIOS = (0.01, 0.03, 0.04, 0.05, 0.06, 0.1)  # true gradient ratios
RATIO_NOISE = 0.2  # standard deviation of the logarithm of one ratio; see the page
RUN = 60  # epochs that a run has for one seed in TRAINING
STREAM = 20_260
LIVES_OF_A_SLOT = 20  # a life of a whole slot takes as long as so many of a gate alone
COLOURS = ("#555555", "#56B4E9", "#E69F00", "#009E73", "#D55E00")

INTRODUCTION = """# Error rates of gates G2 and G5

Made by `python benchmarks/gate_error_study.py`. A cell about G5 is a share of {lives:,} simulated
lives. A measurement is the true value plus Gaussian noise that is independent from epoch to epoch. Real
measurements of neighbouring epochs resemble each other, so that a window of them tells less than
the same number here: the rates are a lower bound where the noise is shared between epochs.

## G5: is the contribution enough?

A seed is fossilized for good where its contribution reaches {least} points.

- **Before**: the gate read the latest contribution. It was applied in every epoch of probation, so
  one lucky epoch was enough.
- **After**: the gate reads the last {window} contributions, and at least {window}. Their mean
  must reach {least} points and lie {errors:g} standard errors above 0.

A seed that contributes 0 and is fossilized is an error, and so is one that contributes 1 or 2
points and is culled. A seed at 0.5 points is on the threshold: neither answer is wrong.

![share of seeds that are fossilized, by noise](gate_errors.svg)
"""
MIDDLE = """
The window has its price: no seed is fossilized before its epoch {window} on probation. With much
noise a seed of 1 point is often culled, because {window} measurements do not tell it from 0. Then
measure on more samples. A longer run lengthens the probation, and with it the number of windows
that the gate reads: more seeds of 1 point are kept, and more that contribute nothing.

## G2: is the gradient ratio enough?

A ratio of {threshold} passes. The ratio is the bias-corrected running average of the steps, so its
noise from epoch to epoch is small: a standard deviation of {noise:.0%} of its value is assumed here,
and that the host improves. G2 is applied in every epoch from the third on, in a run of {run} epochs.
A cell is a share of {slots:,} lives of a real slot.

- **Before**: a seed under the threshold stayed in TRAINING until the run ended.
- **After**: it is culled after {patience} epochs in a row under the threshold.

"""
CONCLUSION = """
The patience frees the slot of a seed that would never pass. It also bounds the number of epochs
that may be the one lucky epoch, which G2 still accepts: a seed at 0.03 seldom passes by luck now,
while one at 0.04, within 20 % of the threshold, still passes in most runs. The patience does not
make the threshold right. A ratio of 0.03 may be that of a healthy seed of another architecture
(see `gradient_ratio.md`): then its threshold belongs into `GateThresholds.gradient_ratios`.
"""


def passes_latest(state: SeedState) -> bool:
    """The rule of before: the latest contribution alone."""
    return state.metrics.contributions_in_stage[-1] >= THRESHOLDS.min_contribution


def passes_window(state: SeedState) -> bool:
    return QualityGates(THRESHOLDS).check_gate(state, SeedStage.FOSSILIZED).passed


def share_fossilized(
    passes: Callable[[SeedState], bool], contribution: float, noise: float, run: int, lives: int
) -> float:
    """Return the share of lives in which a gate opens within the probation."""
    stream, fossilized = random.Random(STREAM), 0
    for _ in range(lives):
        state = SeedState("r0c0", "cnn", SeedStage.PROBATIONARY, seed_id="s", blueprint_id="norm")
        state.metrics.seed_is_healthy = True
        opened = False
        # Every life draws the same numbers under both rules: the loop does not stop at a pass.
        for _ in range(LifecycleTiming(run_epochs=run).probation_timeout):
            state.metrics.record_counterfactual(stream.gauss(contribution, noise))
            opened = opened or passes(state)
        fossilized += opened
    return fossilized / lives


@dataclass(frozen=True)
class Fates:
    """Shares of seeds that left TRAINING for BLENDING, were culled, or stayed to the end."""

    blended: float
    culled: float
    stayed: float


def fates(ratio: float, patience: int, lives: int) -> Fates:
    """Return what becomes of seeds in TRAINING, by the slot itself."""
    stream = random.Random(STREAM)
    rules = SlotRules(timing=LifecycleTiming(run_epochs=RUN, training_patience=patience))
    ends = {SeedStage.BLENDING: 0, SeedStage.CULLED: 0, SeedStage.TRAINING: 0}
    for _ in range(lives):
        slot = SeedSlot("r0c0", 4, rules=rules)
        slot.germinate("norm")
        slot.advance_stage()
        metrics = slot.state.metrics
        metrics.record_accuracy(50.0)
        for _ in range(RUN):
            metrics.record_accuracy(60.0)
            metrics.seed_gradient_norm_ratio = ratio * math.exp(stream.gauss(0.0, RATIO_NOISE))
            slot.step_epoch()
            if slot.state.stage is not SeedStage.TRAINING:
                break
        ends[slot.state.stage] += 1
    return Fates(*(count / lives for count in ends.values()))


Rates = dict[tuple[str, int, float, float], float]


def measured_rates(lives: int) -> Rates:
    """Return the share fossilized by rule, epochs of probation, contribution and noise."""
    return {
        (name, epochs, contribution, noise): share_fossilized(
            passes, contribution, noise, run, lives
        )
        for name, passes in (("before", passes_latest), ("after", passes_window))
        for epochs, run in PROBATIONS.items()
        for contribution in CONTRIBUTIONS
        for noise in NOISES
    }


def rates_table(rates: Rates, epochs: int) -> str:
    header = ["true contribution", *(f"noise {noise:g}" for noise in NOISES)]
    rows = []
    for contribution in CONTRIBUTIONS:
        pairs = (
            (rates["before", epochs, contribution, n], rates["after", epochs, contribution, n])
            for n in NOISES
        )
        rows.append([f"{contribution:g}", *(f"{a:.1%} -> {b:.1%}" for a, b in pairs)])
    return markdown_table(header, rows)


def ratios_table(lives: int) -> str:
    header = ["true ratio", "before: blended", "before: stayed", "after: blended", "after: culled"]
    rows = []
    for ratio in RATIOS:
        before = fates(ratio, RUN + 1, lives)
        after = fates(ratio, LifecycleTiming().training_patience, lives)
        shares = (before.blended, before.stayed, after.blended, after.culled)
        rows.append([f"{ratio:g}", *(f"{share:.1%}" for share in shares)])
    return markdown_table(header, rows)


def draw(rates: Rates, path: Path) -> None:
    """Draw the share of seeds that are fossilized, by noise: a column a rule, a row a probation."""
    pyplot: Any = load_matplotlib()
    with pyplot.rc_context(STYLE):
        figure, grid = pyplot.subplots(
            2, 2, sharex=True, sharey=True, figsize=(8, 6), layout="constrained"
        )
        for row, epochs in enumerate(PROBATIONS):
            for column, name in enumerate(("before", "after")):
                axes = grid[row][column]
                for colour, contribution in zip(COLOURS, CONTRIBUTIONS, strict=True):
                    shares = [100.0 * rates[name, epochs, contribution, n] for n in NOISES]
                    label = f"adds {contribution:g}"
                    axes.plot(NOISES, shares, "o-", color=colour, label=label, markersize=3)
                axes.set_title(f"{name}, {epochs} epochs of probation", loc="left", fontsize=9)
                axes.set_xscale("log")
                axes.set_xticks(NOISES, [f"{noise:g}" for noise in NOISES], minor=False)
                axes.minorticks_off()
        for axes in grid[1]:
            axes.set_xlabel("noise of a measurement (points)")
        for axes in grid[:, 0]:
            axes.set_ylabel("fossilized (%)")
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
        save_picture(figure, path)
        pyplot.close(figure)


def page(rates: Rates, lives: int) -> str:
    window = THRESHOLDS.contribution_epochs
    text = INTRODUCTION.format(
        lives=lives,
        least=THRESHOLDS.min_contribution,
        window=window,
        errors=THRESHOLDS.contribution_errors,
    )
    for epochs in PROBATIONS:
        text += f"\nFossilized within {epochs} epochs of probation, before -> after:\n\n"
        text += rates_table(rates, epochs)
    text += MIDDLE.format(
        window=window,
        threshold=THRESHOLDS.gradient_ratio,
        noise=RATIO_NOISE,
        run=RUN,
        slots=lives // LIVES_OF_A_SLOT,
        patience=LifecycleTiming().training_patience,
    )
    return text + ratios_table(lives // LIVES_OF_A_SLOT) + CONCLUSION


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lives", type=int, default=4000)
    arguments.add_argument("--out", type=Path, default=Path("reports/studies"))
    options = arguments.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rates = measured_rates(options.lives)
    draw(rates, options.out / "gate_errors.svg")
    text = page(rates, options.lives)
    (options.out / "gate_errors.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
