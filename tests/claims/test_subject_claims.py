"""The claims `value`, `formula` and `probe` about live subjects, answered in one sandbox."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import ValidationError
from support.claim_replies import claim, replies

from esper_audit.claims.reply import Reply

# The claims query live modules.
pytestmark = pytest.mark.torch

SUBJECTS = '''"""Subjects."""

import torch
from torch import nn

from esper_audit.subject import Average, Blueprint, Module, Ratio, promise, sequences


class Squeeze(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.down = nn.Linear(dim, dim // 4, bias=False)
        self.up = nn.Linear(dim // 4, dim)
        self.register_buffer("seen", torch.zeros(dim))

    def forward(self, x):
        return x + self.up(self.down(x))


class Ahead(nn.Module):
    def forward(self, x):
        return x + x.mean(dim=1, keepdim=True)


def refuses(dim):
    if dim > 100:
        raise RuntimeError("too wide for me")
    return nn.Linear(dim, dim)


class Mean:
    def __init__(self):
        self.samples = []


def subjects():
    return [
        Blueprint(name="squeeze", build=Squeeze, inputs=sequences, dims=(16,),
                  estimate=lambda dim: 2000, promises=[promise("causality"), promise("param-estimate")]),
        Blueprint(name="unestimated", build=Squeeze, inputs=sequences),
        Module(name="ahead", build=lambda dim: Ahead(), inputs=sequences, promises=[promise("causality")]),
        Module(name="lazy", build=lambda dim: nn.LazyLinear(dim), inputs=sequences),
        Module(name="refuses", build=refuses, inputs=sequences),
        Module(name="raises", build=Squeeze, inputs=lambda draw: 1 / 0, promises=[promise("causality")]),
        Ratio(name="ratio", build=lambda: None,
              call=lambda built, s, h, sp, hp: s / h * (hp / sp) ** 0.5 if h else None),
        Average(name="mean", build=Mean, update=lambda built, x: built.samples.append(x),
                value=lambda built: sum(built.samples) / len(built.samples)),
    ]
'''
BROKEN = "import no_such_package\n"
HANGS = "import os\n\n\ndef subjects():\n    os.kill(os.getpid(), 9)\n"
SOURCE = "subjects.py:subjects"
TRUE = "2 * dim * (dim // r) + dim"
RECOMMENDED = "2 * dim * (dim // r) + dim + (dim // r)"


def value(expression: str, **query: Any) -> dict[str, Any]:
    return {
        "kind": "value",
        "expression": expression,
        "subject": "squeeze",
        "subjects": SOURCE,
        **query,
    }


def formula(left: str, right: str = "parameters(dim)", **query: Any) -> dict[str, Any]:
    over = {"dim": [64, 512], "r": 4}
    defaults = {
        "left": left,
        "right": right,
        "over": over,
        "subject": "squeeze",
        "subjects": SOURCE,
    }
    return {"kind": "formula", **defaults, **query}


def probe(unit: str, **query: Any) -> dict[str, Any]:
    return {"kind": "probe", "unit": unit, "subjects": SOURCE, **query}


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "count": ("holds", "parameters(512) = 131,584", value("parameters(512)", equals=131584)),
    "count of the declared width": (
        "holds",
        "parameters() = 144",
        value("parameters()", equals=144),
    ),
    "trainable and buffers": ("holds", "", value("trainable(16) - buffers(16)", equals=128)),
    "far off": (
        "holds",
        "65.792",
        value("parameters(512) / estimate(512)", at_least=65, at_most=66),
    ),
    "give or take": (
        "holds",
        "",
        value("parameters(512) / estimate(512)", equals=65.8, within=0.1),
    ),
    "the ticket's sum": ("holds", "", value("64*16 + 16*64 + 64", equals=2112, subject="")),
    "ratio": ("holds", "", value("ratio(1, 2, 4, 100)", equals=2.5, subject="ratio")),
    "average": ("holds", "", value("average(1, 2, 6)", equals=3, subject="mean")),
    "another count": (
        "refuted",
        "131,584 for squeeze, not 2,000",
        value("parameters(512)", equals=2000),
    ),
    "out of bounds": (
        "refuted",
        "not at least 5 and at most 9",
        value("parameters(16)", at_least=5, at_most=9),
    ),
    "no such subject": (
        "stale",
        "no subject 'squeezed'; did you mean 'squeeze'?",
        value("parameters(1)", equals=1, subject="squeezed"),
    ),
    "no estimate any more": (
        "stale",
        "no estimate of 'unestimated'",
        value("estimate(1)", equals=1, subject="unestimated"),
    ),
    "not of this kind": (
        "stale",
        "no ratio of 'mean', which is a subject of kind Average",
        value("ratio(1,1,1,1)", equals=1, subject="mean"),
    ),
    "no such file": (
        "stale",
        "no file of subjects gone.py",
        value("parameters(1)", equals=1, subjects="gone.py:subjects"),
    ),
    "no shape yet": (
        "cannot-tell",
        "no shape before the first forward",
        value("parameters(4)", equals=1, subject="lazy"),
    ),
    "it raises": (
        "cannot-tell",
        "RuntimeError: too wide for me",
        value("parameters(512)", equals=1, subject="refuses"),
    ),
    "unmeasured": (
        "cannot-tell",
        "ratio is unmeasured",
        value("ratio(1,0,1,1)", equals=1, subject="ratio"),
    ),
    "no import": (
        "cannot-tell",
        "no_such_package",
        value("parameters(1)", equals=1, subjects="broken.py:subjects"),
    ),
    "killed": (
        "cannot-tell",
        "was killed by SIGKILL",
        value("parameters(1)", equals=1, subjects="hangs.py:subjects"),
    ),
    "no file named": (
        "cannot-tell",
        "the configuration names no file of subjects",
        value("parameters(1)", equals=1, subjects=""),
    ),
    "no width": ("cannot-tell", "expected one width", value("parameters(0)", equals=1)),
    "true formula": ("holds", "agree at 2 points: dim 64 to 512, r 4", formula(TRUE)),
    "true over a range": (
        "holds",
        "agree at 32 points",
        formula(TRUE, over={"dim": {"from": 8, "to": 256, "step": 8}, "r": 4}),
    ),
    "two formulas": (
        "holds",
        "",
        formula("dim * (r + 1)", "dim * r + dim", subject="", over={"dim": [1, 7], "r": [0, 3]}),
    ),
    "within": ("holds", "", formula(RECOMMENDED, within=128)),
    "recommended": ("refuted", "2,128 against 2,112 at dim = 64, r = 4", formula(RECOMMENDED)),
    "one side has no value": (
        "refuted",
        "division by zero against 3",
        formula("3 // dim", "3", subject="", over={"dim": [0, 1]}),
    ),
    "subject of a formula gone": ("stale", "no subject 'squash'", formula(TRUE, subject="squash")),
    "a width that raises": (
        "refuted",
        "too wide for me",
        formula("dim * dim + dim", subject="refuses"),
    ),
    "no value on either side": (
        "cannot-tell",
        "no value at dim = 0",
        formula("1 // dim", "1 // dim", subject="", over={"dim": [0, 1]}),
    ),
    "formula of a file that does not load": (
        "cannot-tell",
        "no_such_package",
        formula(TRUE, subjects="broken.py:subjects"),
    ),
    "causal": ("holds", "causality[squeeze@birth]: pass", probe("causality[squeeze@birth]")),
    "leaks, as said": ("holds", "fail", probe("causality[ahead@birth]", outcome="fail")),
    "leaks": ("refuted", "causality[ahead@birth]: fail", probe("causality[ahead@birth]")),
    "not promised": (
        "stale",
        "no subject promises causality[lazy@birth]",
        probe("causality[lazy@birth]"),
    ),
    "no such unit": ("stale", "no subject promises", probe("causality[gone@birth]")),
    "probe of no file": (
        "stale",
        "no file of subjects",
        probe("causality[squeeze@birth]", subjects="gone.py:s"),
    ),
    "probe raises": ("cannot-tell", "no-verdict", probe("causality[raises@birth]")),
    "probe of a file that does not load": (
        "cannot-tell",
        "no_such_package",
        probe("causality[squeeze@birth]", subjects="broken.py:subjects"),
    ),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Reply]:
    root = tmp_path_factory.mktemp("tree")
    files = {"subjects.py": SUBJECTS, "broken.py": BROKEN, "hangs.py": HANGS}
    return replies(root, files, {label: query for label, (_, _, query) in CASES.items()})


@pytest.mark.parametrize("label", CASES)
def test_a_claim_is_answered_with_its_evidence(results, label: str) -> None:
    answer, words, _ = CASES[label]
    assert (results[label].answer, words in results[label].evidence) == (answer, True), results[
        label
    ]


def test_the_configuration_may_name_the_subjects_and_what_is_expected_of_them(
    tmp_path: Path,
) -> None:
    expected = """
subjects = ["subjects.py:subjects"]

[[expect]]
probe = "causality"
subject = "ahead"
code = ["altered", "prefix", "gradient"]
reason = "known since May"
"""
    queries = {
        "count": value("parameters(16)", equals=144, subjects=""),
        "leaks": probe("causality[ahead@birth]", outcome="expected-fail", subjects=""),
    }
    files = {"subjects.py": SUBJECTS, "esper-audit.toml": expected}
    results = replies(tmp_path, files, queries)
    assert results["count"].answer == "holds"
    assert (results["leaks"].answer, "known since May" in results["leaks"].evidence) == (
        "holds",
        True,
    )


def test_of_two_files_of_subjects_the_claim_has_to_name_one(tmp_path: Path) -> None:
    both = 'subjects = ["subjects.py:subjects", "more.py:subjects"]\n'
    files = {"subjects.py": SUBJECTS, "more.py": SUBJECTS, "esper-audit.toml": both}
    queries = {"count": value("parameters(16)", equals=144, subjects="")}
    result = replies(tmp_path, files, queries)["count"]
    assert (result.answer, "the configuration names 2" in result.evidence) == ("cannot-tell", True)


def test_a_refuted_formula_comes_with_the_table_of_differences(results) -> None:
    assert results["recommended"].table == (
        ("dim", "r", "left", "right", "difference"),
        (64, 4, "2,128", "2,112", "+16"),
        (512, 4, "131,712", "131,584", "+128"),
    )


def test_no_evidence_names_a_place_of_this_machine(results) -> None:
    assert not [reply for reply in results.values() if "/tmp" in reply.evidence]


def test_without_torch_only_plain_arithmetic_has_an_answer(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    queries = {
        "live": value("parameters(512)", equals=131584),
        "plain": value("64 * 16 + 16 * 64 + 64", equals=2112, subject=""),
    }
    without = replies(tmp_path, {"subjects.py": SUBJECTS}, queries)
    assert without["live"].answer == "cannot-tell"
    assert "torch is not installed" in without["live"].evidence
    assert without["plain"].answer == "holds"


@pytest.mark.parametrize(
    ("query", "objection"),
    [
        (value("parameters(", equals=1), "`expression`: does not parse"),
        (value("width", equals=1), "unknown variable `width`"),
        (value("parameters(1)", equals=1, subject=""), "without a `subject`"),
        (value("1"), "either `equals`, or"),
        (value("1", equals=1, at_most=2), "either `equals`, or"),
        (value("1", equals=1, within=-1), "`within` is at least 0"),
        (formula("dims"), r"`left`: unknown variable `dims` \(declared: dim, r\)"),
        (formula("1", "2 +"), "`right`: does not parse"),
        (formula("1", over={"dim": {"from": 9, "to": 1}}), "spans 0 points"),
        (formula("1", over={"dim": {"from": 1, "to": 10**12}}), "expected 1 to 4,096"),
        (formula("1", over={"dim": {"from": 1, "to": 2, "by": 1}}), "unknown field `by`"),
        (probe("causality"), r"\$.unit"),
        (probe("causality[x@birth]", outcome="no-verdict"), "`outcome` is one of"),
    ],
)
def test_an_invalid_query_is_refused(query, objection: str) -> None:
    with pytest.raises(ValidationError, match=objection):
        claim(**query)
