"""What a study found, as Markdown: scores by arm, and each seed's way through the gates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from esper_ref.growth.comparison import mean_and_spread
from esper_ref.growth.life import Arm
from esper_ref.lifecycle import SeedStage
from esper_ref.telemetry import GateEvaluated, StageChanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esper_ref.growth.journal import Journal
    from esper_ref.growth.study import Study

ARM_MEANS = {
    Arm.ALONE: "the host alone",
    Arm.GROWN: "seeds grown in it",
    Arm.WHOLE: "what grew, trained whole from the first step",
}


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table whose columns are aligned in plain text too."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * w for w in widths) + " |")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class StageChange:
    """A move of a slot, with the last message of the gate: why it passed the seed, or why it never did.

    `refusals` counts how often the gate refused the seed in this stage.
    """

    epoch: int
    slot_id: str
    seed_id: str
    before: SeedStage
    after: SeedStage
    evidence: str
    refusals: int = 0


def stage_changes(journal: Journal) -> list[StageChange]:
    """Return the moves of one life, in order, the idle ones after a cull left out."""
    changes: list[StageChange] = []
    said: dict[str, str] = {}
    refusals: dict[str, int] = {}
    for epoch, event in journal.events():
        slot = event.slot_id
        if isinstance(event, GateEvaluated):
            said[slot] = event.message
            refusals[slot] = refusals.get(slot, 0) + (not event.passed)
        if isinstance(event, StageChanged) and event.before < SeedStage.CULLED:
            change = StageChange(epoch, slot, event.seed_id, event.before, event.after, said[slot])
            changes.append(replace(change, refusals=refusals.pop(slot, 0)))
    return changes


def scores_table(study: Study) -> str:
    """Return the test scores of every arm and random seed, with mean and spread."""
    header = ["arm", *(f"seed {s}" for s in range(study.plan.random_seeds)), "mean ± sd", "params"]
    rows = []
    for arm in Arm:
        lives = study.of(arm)
        scores = tuple(life.test_score for life in lives)
        counts = sorted({life.parameters for life in lives})
        size = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
        shown = (f"{score:.2f}" for score in scores)
        rows.append([f"{arm}: {ARM_MEANS[arm]}", *shown, mean_and_spread(scores), size])
    return markdown_table(header, rows)


def stages_table(journal: Journal) -> str:
    """Return one life's stage changes with the evidence behind each."""
    rows = [
        [c.epoch, c.slot_id, c.seed_id, c.before.name, c.after.name, c.refusals, c.evidence]
        for c in stage_changes(journal)
    ]
    header = ["epoch", "slot", "seed", "from", "to", "refusals", "evidence"]
    return markdown_table(header, rows)


def fates_table(study: Study) -> str:
    """Return what became of every seed of every life."""
    rows = []
    for life in study.of(Arm.GROWN):
        changes = stage_changes(life.journal)
        ends = {change.seed_id: change for change in changes}
        for seed_id, end in ends.items():
            contribution = _last_contribution(life.journal, end)
            fate = "undecided: " + end.after.name
            if end.after in (SeedStage.FOSSILIZED, SeedStage.CULLED):
                fate = end.after.name.lower()
            rows.append([life.random_seed, seed_id, fate, end.epoch, contribution])
    header = ["random seed", "seed", "fate", "epoch", "contribution when judged (points)"]
    return markdown_table(header, rows)


def _last_contribution(journal: Journal, change: StageChange) -> str:
    """Return the contribution measured in the epoch of a move, or why there is none."""
    for epoch, measured in journal.measured():
        found = measured.contributions.get(change.slot_id)
        if epoch == change.epoch and found is not None:
            return f"{found:+.2f}"
    return "not blended yet"


def report(study: Study) -> str:
    """Return the whole result as Markdown."""
    plan = study.plan
    first = study.of(Arm.GROWN)[0]
    sentences = [
        study.compare(Arm.GROWN, other).sentence() + "." for other in (Arm.ALONE, Arm.WHOLE)
    ]
    return (
        f"## {plan.host}\n\n"
        f"Data: {study.data_title}. {plan.epochs} epochs of {plan.steps} steps, batches of "
        f"{plan.batch}; the same number of steps, the same batches and the same first weights of "
        f"the host in every arm of a random seed. Blend: {plan.alpha_algorithm}. Accuracy in "
        "percent on a test split that no gate has seen:\n\n"
        f"{scores_table(study)}\n"
        + "".join(f"- {sentence}\n" for sentence in sentences)
        + (f"- {plan.too_short[0].upper()}{plan.too_short[1:]}\n" if plan.too_short else "")
        + f"\nWhat became of the seeds:\n\n{fates_table(study)}\n"
        f"The way through the gates with random seed {first.random_seed}:\n\n"
        f"{stages_table(first.journal)}"
    )
