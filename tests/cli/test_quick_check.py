"""A simple `check` command line is read without click, and exactly as click reads it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from support.audit_runs import CLEAN, GOOD, command, write

from esper_audit.cli import screen
from esper_audit.cli.check import command as check
from esper_audit.cli.check_options import CHECK
from esper_audit.cli.quick_check import COMPLETION, quick_check, read_arguments

SIMPLE = [
    "",
    "a.py",
    "a.py b --select x --select y,z",
    "--ignore=a,,b a.py --ignore c",
    "--format json --no-cache a.py",
    "--format= --output-file=x a.py",
    "--severity P2 --max-findings 3 --statistics --exit-zero",
    "--since HEAD~1 --jobs 0 --jobs 4 --timing --no-prefilter",
    "--shard 2/4 --config c.toml --stdin-filename s.py",
    "--fix -i --unsafe-fixes --diff --impact --whole-tree --interactive",
    "--config= a.py --severity=P1 --severity P3",
]
LEFT_TO_CLICK = [
    "--help",
    "-h",
    "--unknown a.py",
    "-",
    "-- a.py",
    "-ii",
    "--fix=yes",
    "--jobs",
    "--jobs -1",
    "--jobs=-1",
    "--jobs x",
    "--jobs 1_0",
    "--max-findings 0",
    "--severity p2",
    "--severity",
    "--shard 5/4",
    "--shard",
    "--select --fix",
    "--form json",
]


def by_click(arguments: list[str]) -> dict[str, object]:
    """Return what click makes of the arguments of `check`."""
    return check.make_context("check", list(arguments)).params


@pytest.mark.parametrize("line", SIMPLE)
def test_simple_arguments_are_read_as_click_reads_them(line: str) -> None:
    arguments = line.split()
    known = read_arguments(arguments)
    assert known is not None
    paths, options = known
    assert {"paths": tuple(paths), **options} == by_click(arguments)
    assert list(options) == [option.name for option in CHECK]


@pytest.mark.parametrize("line", LEFT_TO_CLICK)
def test_everything_else_is_left_to_click(line: str) -> None:
    assert read_arguments(line.split()) is None


def test_every_option_of_click_is_declared() -> None:
    declared = {option.name: option.flags for option in CHECK}
    options = [p for p in check.params if isinstance(p, click.Option)]
    assert {p.name: tuple(p.opts) for p in options} == declared


@pytest.mark.parametrize(
    "line",
    [
        "a.py",
        "--no-cache --statistics b.py a.py",
        "--exit-zero --format json a.py",
        "--severity P1 a.py",
        "--select no-such-check a.py",
        "--format sarif --statistics a.py",
        "--format no-such-format",
        "--config missing.toml",
        "missing.py",
        "--diff a.py",
        "--fix --since HEAD a.py",
    ],
)
def test_output_and_exit_status_are_those_of_click(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
) -> None:
    write(tmp_path, {"a.py": GOOD, "b.py": CLEAN})
    monkeypatch.chdir(tmp_path)
    expected = command("check", *line.split())
    with pytest.raises(SystemExit) as ended:
        quick_check(line.split())
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (expected.out, expected.err)
    assert ended.value.code == expected.status


def test_an_interrupted_check_ends_as_with_click(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("esper_audit.cli.checking.take_output", interrupt)
    expected = command("check", "a.py")
    with pytest.raises(SystemExit) as ended:
        quick_check(["a.py"])
    assert ended.value.code == expected.status == 1
    assert capsys.readouterr().err == expected.err


def test_completion_is_left_to_click(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AssertionError("the quick path ran")

    monkeypatch.setattr(screen, "errors_reported", fail)
    monkeypatch.setenv(COMPLETION, "bash_source")
    quick_check(["a.py"])
    monkeypatch.delenv(COMPLETION)
    with pytest.raises(AssertionError, match="the quick path ran"):
        quick_check(["a.py"])
