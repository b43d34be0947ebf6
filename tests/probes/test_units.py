"""Units of subjects: prerequisites, verdicts, reproducers, records, and the errors of invalid promises."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
import support
import torch
from support.probe_corpora import corpus
from torch import Tensor, nn

from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.measure.readings import (
    Judgement,
    Limit,
    Reading,
    judge,
    must_be_zero,
)
from esper_audit.probes.probe import discover_probes
from esper_audit.probes.subject.inputs import sequences
from esper_audit.probes.subject.loading import load_subjects, subject_of
from esper_audit.probes.subject.subject import Module, Promise, SubjectError, promise
from esper_audit.probes.units import measure_unit, probe_subjects, probe_unit, units_of

HERE = os.path.dirname(os.path.abspath(support.__file__))
SOURCE = os.path.join(HERE, "own_subjects.py") + ":subjects"

# Slow: every module of the corpora is probed again in another process.
pytestmark = [pytest.mark.slow, pytest.mark.torch]


def record_of(name: str, probe: str = "causality") -> ProbeRecord:
    return next(r for r in probe_subjects([subject_of(SOURCE, name)]) if r.probe == probe)


def linear(*promises: Promise) -> Module:
    return Module(
        name="linear",
        build=lambda dim: nn.Linear(dim, dim),
        inputs=sequences,
        dims=(8,),
        promises=promises,
    )


def test_prerequisites_come_first_and_once() -> None:
    found = units_of([linear(promise("causality"), promise("eval-determinism"))])
    assert [unit.probe.id for unit in found] == [
        "build",
        "forward",
        "reproducible",
        "causality",
        "eval-determinism",
    ]
    assert found[-1].prerequisites == ("reproducible[linear@birth]",)


class Counted(nn.Linear):
    """Counts how often one is built and how often one runs."""

    built = 0
    ran = 0

    def __init__(self, dim: int) -> None:
        super().__init__(dim, dim)
        Counted.built += 1

    def forward(self, x: Tensor) -> Tensor:
        Counted.ran += 1
        return super().forward(x)


def test_prerequisites_share_two_modules_and_each_runs_once() -> None:
    subject = replace(linear(promise("reproducible")), build=Counted)
    other = replace(
        subject, name="other", states={"birth": lambda _: None, "later": lambda _: None}
    )
    units = units_of([subject, other])
    for unit in units:
        assert measure_unit(unit).verdict is Verdict.PASS
    assert (Counted.built, Counted.ran) == (3 * 2, 3 * 2)  # of three subjects and states
    for unit in reversed(units):  # the one before is another subject, or has not run
        assert measure_unit(unit).verdict is Verdict.PASS
    assert (Counted.built, Counted.ran) == (6 + 9 * 2, 6 + 3 * 3)


def test_a_failure_blocks_what_depends_on_it_instead_of_cascading() -> None:
    records = [r for r in probe_subjects([subject_of(SOURCE, "raising")]) if r.state]
    assert [r.verdict for r in records] == [Verdict.FAIL] + [Verdict.BLOCKED_BY] * 3
    assert "LookupError: no such blueprint" in records[0].message
    assert records[-1].code == "reproducible[raising@birth]"


def test_a_probe_that_raises_is_no_verdict_and_never_a_pass() -> None:
    def fails_when_converted(dim: int) -> nn.Module:
        module = nn.Linear(dim, dim)
        module.to = lambda _: module.no_such_method()  # type: ignore[method-assign,assignment]
        return module

    record = measure_unit(
        units_of([replace(linear(promise("causality")), build=fails_when_converted)])[-1]
    )
    assert (record.verdict, record.code) == (Verdict.NO_VERDICT, "raised")


def test_a_unit_has_the_same_record_in_another_process() -> None:
    program = (
        "import sys, msgspec; from esper_audit.subject import probe_unit;"
        "sys.stdout.buffer.write(msgspec.json.encode(probe_unit(*sys.argv[1:])))"
    )
    unit = "causality[leaking@birth]"
    path = os.pathsep.join((os.path.dirname(HERE), os.path.dirname(os.path.dirname(HERE))))
    output = subprocess.run(
        [sys.executable, "-c", program, SOURCE, unit],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    ).stdout
    assert msgspec.json.decode(output, type=ProbeRecord) == probe_unit(SOURCE, unit)


def test_results_are_the_same_in_any_order() -> None:
    subjects = load_subjects(SOURCE)[:2]
    there, back = (
        {r.unit: r for r in probe_subjects(order, ["causality"])}
        for order in (subjects, subjects[::-1])
    )
    assert there == back


LEAKS = {case.subject.name for case in corpus("causality") if case.verdict is Verdict.FAIL}
CORPUS = os.path.join(HERE, "probe_corpora.py") + ":subjects"


@pytest.mark.parametrize("name", sorted(LEAKS))
def test_a_reproducer_runs_when_pasted_and_repeats_the_reading(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = next(r for r in probe_subjects([subject_of(CORPUS, name)]) if r.probe == "causality")
    exec(record.reproducer, {})
    printed = capsys.readouterr().out
    if "position" in record.witness:
        values = re.match(r"altered (\S+) prefix (\S+)\ngradient \(\d+, (\S+)\)\n", printed)
        assert values is not None
        assert float(values[1 + ("altered", "prefix", "gradient").index(record.code)]) > 0.0
    else:
        assert printed.startswith(f"{record.verdict} {record.code} ")


def test_the_plain_reproducer_runs_when_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    exec(record_of("raising", "build").reproducer, {})
    assert "fail raises" in capsys.readouterr().out


def test_a_record_holds_its_numbers_limits_witness_and_versions() -> None:
    record = record_of("leaking")
    plain = json.loads(msgspec.json.encode(record))
    assert {"draw", "mode", "length", "position"} <= set(plain["witness"])
    assert plain["numbers"][1]["detector"] == "altered"
    assert plain["numbers"][1]["limit"] == 0.0
    assert plain["versions"]["torch"] == torch.__version__
    assert plain["contract"] == "causal-mask"


def test_probing_leaves_threads_and_the_random_stream_alone() -> None:
    torch.manual_seed(5)
    stream, threads = torch.get_rng_state(), torch.get_num_threads()
    list(probe_subjects([linear(promise("eval-determinism"))], ["eval-determinism"]))
    assert torch.equal(stream, torch.get_rng_state())
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("promised", "message"),
    [
        (promise("causality", axes=2), "unknown field `axes`"),
        (promise("causality", axis="time"), "Expected `int`"),
        (Promise("causality", version=2), "in version 2 (expected 1)"),
        (promise("causality", in_states=("blending",)), "in unknown states ['blending']"),
        (promise("ema-bias"), "got Module, expected Average"),
        (promise("telepathy"), "an unknown probe (probes: alpha-schedule"),
    ],
)
def test_a_promise_that_no_probe_can_check_is_an_error_with_the_reason(
    promised: Promise, message: str
) -> None:
    with pytest.raises(SubjectError) as raised:
        units_of([linear(promised)])
    assert message in str(raised.value)


def test_an_unknown_probe_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SubjectError, match=r"unknown probe telepathy \(probes: alpha-schedule"):
        list(probe_subjects([linear()], ["telepathy"]))


def test_two_subjects_of_one_name_are_an_error() -> None:
    with pytest.raises(SubjectError, match="declared twice"):
        units_of([linear(), linear()])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no/such/file.py:subjects", "there is no file"),
        (f"{HERE}/own_subjects.py:no_such", "has no function 'no_such'"),
        (f"{HERE}/own_subjects.py:nothing", "yields no subject"),
    ],
)
def test_a_subjects_file_without_subjects_is_an_error(source: str, message: str) -> None:
    with pytest.raises(SubjectError, match=message):
        load_subjects(source)


def test_subjects_and_probes_are_declared_and_listed_without_torch() -> None:
    program = (
        "import sys; import esper_audit.subject as names;"
        "names.Module, names.Gate, names.probe_unit;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_probe_names_a_contract_and_what_it_takes() -> None:
    for probe in discover_probes().values():
        assert probe.contract
        assert probe.limits


def refused(_dim: int) -> nn.Module:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")


class Hungry(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        raise MemoryError


@pytest.mark.parametrize("build", [refused, lambda dim: Hungry(dim, dim)])
def test_a_refused_allocation_is_no_defect_of_the_subject(
    build: Callable[[int], nn.Module],
) -> None:
    subject = Module(name="hungry", build=build, inputs=sequences, promises=[promise("forward")])
    record = next(r for r in probe_subjects([subject]) if r.verdict is not Verdict.PASS)
    assert (record.verdict, record.code) == (Verdict.NO_VERDICT, "memory")
    assert "the limit is probing.memory" in record.message


def test_a_reading_that_is_not_finite_is_a_text_in_json() -> None:
    limits = {"size": Limit("at most", math.inf, "too large"), "gap": must_be_zero("differs")}
    readings = [Reading("size", math.nan), Reading("gap", math.inf, {"host": -math.inf})]
    judgement = judge(readings, limits)
    plain = msgspec.json.decode(msgspec.json.encode(judgement))
    assert [number["value"] for number in plain["numbers"]] == ["nan", "inf"]
    assert [number["limit"] for number in plain["numbers"]] == ["inf", 0.0]
    assert plain["broken"][-1]["witness"] == {"host": "-inf"}
    assert msgspec.convert(plain, Judgement).numbers == judgement.numbers
