"""A life: it can be cut off after any epoch and goes on as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from esper_ref import AlphaAlgorithm, CNNHost, MorphogeneticModel, SeedStage
from esper_ref.baked import BakedModel, SeedRecipe
from esper_ref.evidence import evaluating
from esper_ref.growth.command import main
from esper_ref.growth.data import RealData, load_data
from esper_ref.growth.life import Arm, Life, build_model
from esper_ref.growth.plan import GrowthPlan, plan_for, random_seed_of
from esper_ref.growth.table import stage_changes
from esper_ref.telemetry import Culled
from esper_ref.topology import require_topology

# Slow: models are grown for real, some of them on two ranks.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HOSTS = ("cnn", "transformer")


DORMANT, FOSSILIZED = SeedStage.DORMANT, SeedStage.FOSSILIZED


def tiny_plan(host: str, **changes: Any) -> GrowthPlan:
    plan = plan_for(host, epochs=22, steps=2, batch=8)
    return replace(plan, **{"warm_up": 1, "patience": 4, "blend_epochs": 2} | changes)


def small_data(host: str) -> RealData:
    data = load_data(require_topology(host))
    few = slice(0, 24)
    return RealData(data.title, data.classes, data.training, data.validation[few], data.test[few])


def new_life(plan: GrowthPlan, folder: Path, arm: Arm = Arm.GROWN, random_seed: int = 0) -> Life:
    data = small_data(plan.host)
    model = build_model(arm, plan, data, random_seed, {"r0c0": plan.blueprints[0]})
    return Life(plan, data, model, random_seed, folder)


def lived(plan: GrowthPlan, folder: Path, arm: Arm = Arm.GROWN) -> Life:
    life = new_life(plan, folder, arm)
    life.begin()
    for _ in life.epochs():
        pass
    return life


def plain(value: Any) -> Any:
    """Tensors as lists, so that two checkpoints can be compared with `==`."""
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, dict):  # the random stream is no part of a life: each epoch has its own
        return {key: plain(item) for key, item in value.items() if key != "random_state"}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def saved(life: Life) -> Any:
    return plain(torch.load(life.checkpoint, weights_only=True))


@pytest.mark.parametrize(
    ("host", "algorithm", "policy"),
    [
        ("cnn", "gate", "evidence"),
        ("cnn", "multiply", "round-robin"),
        ("transformer", "add", "round-robin"),
    ],
)
def test_a_resumed_life_equals_the_uninterrupted_one_bit_for_bit(
    tmp_path: Path, host: str, algorithm: str, policy: str
) -> None:
    plan = tiny_plan(host, alpha_algorithm=AlphaAlgorithm(algorithm), policy=policy)
    whole = lived(plan, tmp_path / "whole")
    stages = {change.after for change in stage_changes(whole.journal)}
    assert {SeedStage.TRAINING, SeedStage.BLENDING, SeedStage.SHADOWING} <= stages

    cut = new_life(plan, tmp_path / "cut")
    cut.begin()
    while cut.epoch < plan.epochs:
        for _ in cut.epochs():
            if cut.epoch % 5 == 0:
                break
        torch.manual_seed(cut.epoch)  # a new process has another random stream
        cut = new_life(plan, tmp_path / "cut")
        cut.resume()
    assert saved(cut) == saved(whole)
    assert (tmp_path / "cut/journal.jsonl").read_bytes() == (
        tmp_path / "whole/journal.jsonl"
    ).read_bytes()
    assert cut.journal.entries == whole.journal.entries
    assert cut.test_score == whole.test_score


def test_the_policy_decides_how_many_seeds_are_on_trial_at_once(tmp_path: Path) -> None:
    most = {}
    for policy in ("round-robin", "evidence"):
        life = lived(tiny_plan("cnn", policy=policy), tmp_path / policy)
        stages = [m.stages.values() for _, m in life.journal.measured()]
        trials = [sum(DORMANT < stage < FOSSILIZED for stage in epoch) for epoch in stages]
        most[policy] = max(trials)
    assert most == {"round-robin": 1, "evidence": 2}


def test_the_resume_test_sees_an_optimizer_that_was_not_restored(tmp_path: Path) -> None:
    plan = tiny_plan("cnn", epochs=4)
    whole = lived(plan, tmp_path / "whole")
    cut = new_life(plan, tmp_path / "cut")
    cut.begin()
    next(iter(cut.epochs()))
    fresh = new_life(plan, tmp_path / "cut")
    fresh.resume()
    fresh.training.take_up("host", fresh.garden.host_parameters())
    for _ in fresh.epochs():
        pass
    assert saved(fresh) != saved(whole)


def test_a_journal_written_past_the_checkpoint_is_cut_back(tmp_path: Path) -> None:
    plan = tiny_plan("cnn", epochs=5)
    whole = lived(plan, tmp_path / "whole")
    cut = new_life(plan, tmp_path / "cut")
    cut.begin()
    steps = cut.epochs()
    next(steps)
    checkpoint = cut.checkpoint.read_bytes()
    next(steps)
    cut.checkpoint.write_bytes(checkpoint)  # killed before the second one was saved
    with (tmp_path / "cut/journal.jsonl").open("a") as file:
        file.write('{"epoch": 3, "event": "Cul')  # and in the middle of a line
    fresh = new_life(plan, tmp_path / "cut")
    fresh.resume()
    for _ in fresh.epochs():
        pass
    assert fresh.journal.entries == whole.journal.entries
    assert saved(fresh) == saved(whole)


def test_a_run_killed_at_any_moment_resumes_to_the_same_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["grow", "--host", "cnn", "--seeds", "1", "--epochs", "28", "--steps", "2", "--out"]
    killed = subprocess.Popen(
        [sys.executable, "-m", "esper_ref", *options, tmp_path / "killed"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    journal = tmp_path / "killed/seed-0/grown/journal.jsonl"
    while killed.poll() is None and not (journal.exists() and "Germinated" in journal.read_text()):
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert main([*options, str(tmp_path / "killed"), "--resume"]) == 0
    assert main([*options, str(tmp_path / "whole")]) == 0
    names = ["growth.md", "growth.svg", "plan.json"]
    names += [f"seed-0/{arm}/journal.jsonl" for arm in Arm]
    for name in names:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert "## cnn" in capsys.readouterr().out


@pytest.mark.parametrize("host", HOSTS)
def test_until_the_first_seed_is_felt_a_growing_host_lives_as_it_would_alone(
    tmp_path: Path, host: str
) -> None:
    plan = tiny_plan(host, epochs=18, warm_up=2)
    grown, alone = (lived(plan, tmp_path / arm, arm) for arm in (Arm.GROWN, Arm.ALONE))
    ours, theirs = grown.journal.measured(), alone.journal.measured()
    felt = next(epoch for epoch, m in ours if any(c is not None for c in m.contributions.values()))
    assert felt > plan.warm_up + 3
    before = slice(0, felt - 1)
    assert [m.score for _, m in ours[before]] == [m.score for _, m in theirs[before]]
    assert [m.loss for _, m in ours[before]] == [m.loss for _, m in theirs[before]]


def test_one_seed_at_a_time_is_on_trial(tmp_path: Path) -> None:
    life = lived(tiny_plan("cnn", epochs=40), tmp_path)
    settled = (SeedStage.DORMANT, SeedStage.FOSSILIZED)
    idle = (SeedStage.CULLED, SeedStage.EMBARGOED, SeedStage.RESETTING)
    for _, measured in life.journal.measured():
        on_trial = [stage for stage in measured.stages.values() if stage not in settled + idle]
        assert len(on_trial) <= 1
    assert {c.slot_id for c in stage_changes(life.journal)} >= {"r0c0", "r0c1"}


def test_a_seed_that_no_gate_lets_out_of_training_is_culled_and_the_next_blueprint_is_tried(
    tmp_path: Path,
) -> None:
    plan = tiny_plan("cnn", epochs=30, blueprints=("noop", "norm"))  # a noop has no gradient
    life = lived(plan, tmp_path)
    culled = [event for _, event in life.journal.events() if isinstance(event, Culled)]
    assert culled[0].reason == "no gate opened in 4 epochs of TRAINING"
    assert {culled[0].seed_id, "r0c1-noop-0", "r0c0-norm-1"} <= {
        event.seed_id for _, event in life.journal.events()
    }
    assert set(life.training.optimizers) <= {"host", "r0c0", "r0c1", "r0c2"}


def test_every_seed_is_fossilized_or_culled_when_the_run_ends(tmp_path: Path) -> None:
    for host in HOSTS:
        life = lived(tiny_plan(host), tmp_path / host)
        undecided = [
            slot.state.stage
            for slot in life.garden.slots
            if slot.is_active and slot.state.stage is not SeedStage.FOSSILIZED
        ]
        assert not undecided


def test_no_test_sample_is_trained_or_judged_on() -> None:
    data = load_data("cnn")
    assert [len(s) for s in (data.training, data.validation, data.test)] == [997, 400, 400]
    text = load_data("transformer")
    assert len(text.validation) == len(text.test) == 64
    assert torch.equal(text.training.inputs[:, 1:], text.training.targets[:, :-1])
    for split in (text.training, text.validation, text.test):
        assert split.inputs.shape == split.targets.shape
        assert int(split.targets.max()) < text.classes


def test_every_epoch_has_a_random_stream_of_its_own() -> None:
    seeds = {random_seed_of(s, e, r) for s in range(4) for e in range(99) for r in (-1, 0, 1)}
    assert len(seeds) == 4 * 99 * 3


@pytest.mark.parametrize("algorithm", AlphaAlgorithm)
def test_the_whole_network_computes_what_the_fossilized_one_does(algorithm: AlphaAlgorithm) -> None:
    torch.manual_seed(0)
    host = CNNHost(10, 2, 8, in_channels=1)
    grown = MorphogeneticModel(host, slots=["r0c0", "r0c1"])
    grown.germinate_seed("conv_light", slot="r0c1", alpha_algorithm=algorithm)
    whole = BakedModel(host, {"r0c1": SeedRecipe("conv_light", algorithm)})
    slot = grown.slot("r0c1")
    with torch.no_grad():
        for parameter in slot.parameters():
            parameter.normal_(std=0.5)
    whole.seeds["r0c1"].seed.load_state_dict(slot.parts()[0].state_dict())
    if slot.gate is not None:
        whole.seeds["r0c1"].gate.load_state_dict(slot.gate.state_dict())
    x = torch.randn(3, 1, 8, 8)
    with evaluating(grown), evaluating(whole), slot.force_alpha(1.0):
        assert torch.equal(grown(x), whole(x))
        assert not torch.equal(grown(x), host(x))
    assert torch.equal(BakedModel(host, {}).eval()(x), host.eval()(x))
