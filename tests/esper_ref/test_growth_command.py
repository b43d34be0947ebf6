"""The command: what it refuses, in one sentence; what it writes; what its numbers may claim."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_growth_life import lived, tiny_plan

from esper_ref import SeedStage
from esper_ref.growth.command import main
from esper_ref.growth.comparison import Comparison, mean_and_spread
from esper_ref.growth.journal import Entry, EpochMeasured, Journal
from esper_ref.growth.life import Arm
from esper_ref.growth.plan import PlanError, plan_for
from esper_ref.growth.table import markdown_table, stage_changes

# Slow: models are grown for real, some of them on two ranks.
pytestmark = pytest.mark.slow

TINY = ["grow", "--host", "cnn", "--seeds", "1", "--epochs", "2", "--steps", "1"]
LONG_ENOUGH = [*TINY, "--epochs", "60"]  # for seeds to grow, where nothing is run


def test_a_run_writes_result_picture_journals_and_checkpoints_in_the_default_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(TINY) == 0
    folder = tmp_path / "runs/cnn"
    wanted = {"plan.json", "growth.md", "growth.svg"}
    wanted |= {f"seed-0/{a}/{f}" for a in Arm for f in ("journal.jsonl", "checkpoint.pt")}
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == wanted
    out, err = capsys.readouterr()
    assert (folder / "growth.md").read_text() in out
    assert err.startswith("esper_ref: no seed grows in 2 epochs")
    assert err.count("\n") == 1  # no terminal, no progress bar
    assert "- No seed grows in 2 epochs" in out
    before = {name: (folder / name).read_bytes() for name in wanted if "checkpoint" not in name}
    assert main(TINY) == 0  # a second run begins anew, and is the same
    assert before == {name: (folder / name).read_bytes() for name in before}


def test_the_help_gives_the_default_of_an_option_for_each_host(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["grow", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "epochs of each life (default: 60 for cnn; 48 for transformer)" in shown
    assert "random seeds to repeat over (default: 3)" in shown


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--resume"], "holds no run to resume. Start one without --resume."),
        (["--blueprints", "mlp"], "cnn blueprint 'mlp' does not exist; there are attention"),
        (["--epochs", "0"], "got epochs = 0, expected 1 or more"),
        (["--device", "cuda:99"], "cannot use device 'cuda:99': "),
        (["--device", "abacus"], "cannot use device 'abacus': "),
        (["--seeds", "-1"], "got random_seeds = -1"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], named: str
) -> None:
    assert main([*LONG_ENOUGH, *options, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_under_another_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path)]
    assert main([*TINY, *out]) == 0
    assert main([*TINY, *out, "--resume", "--epochs", "3"]) == 2
    assert "epochs 2 there, 3 here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("sklearn", "scikit-learn's digits, needs scikit-learn; install it with: pip install"),
        ("matplotlib", "the picture of a run needs matplotlib; install it with: pip install"),
    ],
)
def test_a_missing_package_is_named_in_one_sentence(
    tmp_path: Path, module: str, sentence: str
) -> None:
    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from esper_ref.growth.command import main\n"
        f"sys.exit(main({LONG_ENOUGH!r}))"
    )
    root = str(Path(__file__).parents[2])
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1


def test_fewer_than_three_random_seeds_claim_nothing() -> None:
    assert Comparison("a", "b", (9.0, 9.0), (1.0, 1.0)).sentence() == (
        "2 random seed(s): no claim is made below 3"
    )


def test_a_difference_is_claimed_only_outside_its_interval() -> None:
    clear = Comparison("a", "b", (3.0, 3.5, 4.0), (1.0, 1.5, 1.9))
    assert clear.half_interval == pytest.approx(4.303 * 0.057735 / 3**0.5, rel=1e-4)
    assert clear.sentence().endswith("n = 3): a is better")
    assert Comparison("b", "a", (1.0, 1.5, 1.9), (3.0, 3.5, 4.0)).sentence().endswith("b is worse")
    unclear = Comparison("a", "b", (3.0, 1.5, 4.0), (1.0, 1.5, 4.5))
    assert unclear.sentence().endswith("no difference is shown")
    assert mean_and_spread((1.0, 2.0, 3.0)) == "2.00 ± 1.00"


def test_a_journal_reads_back_what_it_wrote(tmp_path: Path) -> None:
    life = lived(tiny_plan("cnn"), tmp_path)
    read = Journal(tmp_path / "journal.jsonl", writes=False)
    read.go_back_to(life.epoch)
    assert read.entries == life.journal.entries
    kinds = {type(entry.note).__name__ for entry in read.entries}
    assert {"EpochMeasured", "Germinated", "GateEvaluated", "StageChanged"} <= kinds
    note = EpochMeasured(0.5, 90.0, {"r0c0": SeedStage.BLENDING}, {"r0c0": 0.5}, {"r0c0": None})
    assert Entry.from_json(Entry(3, note).to_json()) == Entry(3, note)


def test_a_plan_takes_only_the_choices_that_were_made() -> None:
    assert plan_for("cnn", epochs=None, steps=7).steps == 7
    assert plan_for("cnn", epochs=None).epochs == plan_for("cnn").epochs
    with pytest.raises(PlanError, match="no blueprint"):
        plan_for("cnn", blueprints=())


@pytest.mark.parametrize("host", ["cnn", "transformer"])
def test_a_plan_too_short_for_a_seed_names_the_epochs_that_suffice(host: str) -> None:
    short = plan_for(host, epochs=2).too_short
    assert short is not None
    fewest = int(short.split("--epochs ")[1].split()[0])
    assert plan_for(host, epochs=fewest).too_short is None
    assert plan_for(host, epochs=fewest - 1).too_short is not None
    assert plan_for(host).too_short is None


def test_a_plan_of_many_epochs_counts_its_longer_probation() -> None:
    plan = plan_for("cnn", epochs=60, patience=30)  # a probation of 6 epochs, later of 8
    assert plan.too_short is not None
    assert "--epochs 77" in plan.too_short
    assert plan_for("cnn", epochs=77, patience=30).too_short is None


@pytest.mark.parametrize(("fewer", "seeds"), [(0, 1), (1, 0)])
def test_a_seed_is_planted_in_the_fewest_epochs_and_in_none_fewer(
    tmp_path: Path, fewer: int, seeds: int
) -> None:
    plan = tiny_plan("cnn", epochs=16)  # a warm-up of 1, and a life of 2 * 4 + 2 + 5
    assert plan.too_short is None
    life = lived(tiny_plan("cnn", epochs=16 - fewer), tmp_path)
    assert len({c.seed_id for c in stage_changes(life.journal)}) == seeds


def test_a_table_lines_up_and_escapes_bars() -> None:
    assert (
        markdown_table(["a", "bb"], [[1, "x|y"]]) == "| a | bb   |\n| - | ---- |\n| 1 | x\\|y |\n"
    )
