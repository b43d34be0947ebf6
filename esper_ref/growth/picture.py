"""The picture of a study: score, alpha and counterfactual contribution over the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esper_ref.growth.extras import require_extra
from esper_ref.growth.life import Arm
from esper_ref.growth.table import stage_changes
from esper_ref.lifecycle import SeedStage

if TYPE_CHECKING:
    from pathlib import Path

    from esper_ref.growth.study import LifeResult, Study

# Okabe and Ito's palette: told apart by colour-blind readers too.
ARM_COLOURS = {Arm.ALONE: "#555555", Arm.GROWN: "#D55E00", Arm.WHOLE: "#0072B2"}
SLOT_COLOURS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9")
ARM_STYLES = {Arm.ALONE: "--", Arm.GROWN: "-", Arm.WHOLE: ":"}
LETTER_OF_STAGE = {
    SeedStage.TRAINING: "T",
    SeedStage.BLENDING: "B",
    SeedStage.SHADOWING: "S",
    SeedStage.PROBATIONARY: "P",
    SeedStage.FOSSILIZED: "F",
    SeedStage.CULLED: "C",
}
LEGEND = "T training, B blending, S shadowing, P probation, F fossilized, C culled"
LOWEST_SHARE_SHOWN = 0.10  # of the epochs are left out of the score's scale: the steep beginning
STYLE = {
    "svg.hashsalt": "esper_ref",  # with no date in the metadata: the same bytes each time
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
}


def load_matplotlib() -> Any:
    """Return `pyplot` on the backend that needs no screen, or say what is missing."""
    require_extra("matplotlib", "the picture of a run").use("Agg")
    return require_extra("matplotlib.pyplot", "the picture of a run")


def save_picture(figure: Any, path: Path) -> None:
    """Write a figure as SVG (or PNG, by the suffix), the same bytes each time."""
    metadata = {"Date": None} if path.suffix == ".svg" else {}
    figure.savefig(path, metadata=metadata, bbox_inches="tight")


def draw_study(study: Study, path: Path) -> None:
    """Draw all arms' scores over the random seeds, and the slots of the first grown life."""
    pyplot = load_matplotlib()
    first = study.of(Arm.GROWN)[0]
    with pyplot.rc_context(STYLE):
        figure, (score, alpha, contribution) = pyplot.subplots(
            3, 1, sharex=True, figsize=(8, 7.5), height_ratios=(3, 2, 2), layout="constrained"
        )
        _draw_scores(score, study)
        _draw_alphas(alpha, first)
        _draw_contributions(contribution, first)
        figure.suptitle(f"{study.plan.host} on {study.data_title}", fontsize=10)
        save_picture(figure, path)
        pyplot.close(figure)


def _draw_scores(axes: Any, study: Study) -> None:
    lowest, highest = 100.0, 0.0
    for arm in Arm:
        runs = [[m.score for _, m in life.journal.measured()] for life in study.of(arm)]
        epochs = range(1, len(runs[0]) + 1)
        by_epoch = list(zip(*runs, strict=True))
        means = [sum(scores) / len(scores) for scores in by_epoch]
        colour = ARM_COLOURS[arm]
        axes.plot(epochs, means, ARM_STYLES[arm], color=colour, label=f"{arm}", linewidth=1.6)
        low, high = [min(s) for s in by_epoch], [max(s) for s in by_epoch]
        axes.fill_between(epochs, low, high, color=colour, alpha=0.12, linewidth=0)
        highest = max([highest, *high])
        lowest = min([lowest, *low[int(LOWEST_SHARE_SHOWN * len(low)) :]])
    axes.set_ylim(lowest - 1.0, min(100.0, highest + 1.0))
    axes.set_ylabel("validation accuracy (%)")
    n = study.plan.random_seeds
    axes.set_title(f"Mean of {n} random seed(s); band: lowest to highest", loc="left", fontsize=9)
    axes.legend(loc="lower right", frameon=False, ncols=3)


def _draw_alphas(axes: Any, life: LifeResult) -> None:
    measured = life.journal.measured()
    slots = list(measured[0][1].alphas)
    epochs = [epoch for epoch, _ in measured]
    for i, slot in enumerate(slots):
        alphas = [m.alphas[slot] for _, m in measured]
        axes.plot(epochs, alphas, color=SLOT_COLOURS[i % 4], label=slot, linewidth=1.6)
    for change in stage_changes(life.journal):
        if change.after in LETTER_OF_STAGE:
            i = slots.index(change.slot_id)
            letter, place = LETTER_OF_STAGE[change.after], (change.epoch, 1.12 + 0.16 * i)
            axes.text(*place, letter, color=SLOT_COLOURS[i % 4], ha="center", fontsize=8)
    axes.set_ylim(-0.05, 1.12 + 0.16 * len(slots))
    axes.set_yticks([0.0, 0.5, 1.0])
    axes.set_ylabel("alpha")
    axes.set_title(
        f"Alpha by slot, random seed {life.random_seed} ({LEGEND})", loc="left", fontsize=9
    )
    axes.legend(loc="center left", frameon=False, bbox_to_anchor=(1.0, 0.5))


def _draw_contributions(axes: Any, life: LifeResult) -> None:
    measured = life.journal.measured()
    for i, slot in enumerate(measured[0][1].contributions):
        found = [(epoch, m.contributions[slot]) for epoch, m in measured]
        felt = [(epoch, value) for epoch, value in found if value is not None]
        axes.plot(*zip(*felt, strict=True), color=SLOT_COLOURS[i % 4]) if felt else None
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_ylabel("points")
    axes.set_xlabel("epoch")
    axes.set_title(
        "Counterfactual contribution: validation accuracy now minus with the seed silent",
        loc="left",
        fontsize=9,
    )
