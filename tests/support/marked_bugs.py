"""Small files with a bug on the line that a comment marks, and the same file repaired."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import NamedTuple

from esper_audit.engine.file_checker import check_source
from esper_audit.engine.triggers import TriggerTable
from esper_audit.rules.registry import discover
from esper_audit.source.syntax.source import Source, parse

# Off by default, because readers would not merge nine findings in ten. They are asked here for the bugs they know.
ASKED = frozenset(
    {
        "argument-modified-in-place",
        "cached-failure",
        "catch-all-passes",
        "catch-and-default",
        "causal-padding",
        "checkpoint-key-drift",
        "collective-under-rank-condition",
        "constant-return",
        "gradient-nan-at-zero",
        "half-precision-norm",
        "host-device-sync",
        "loss-keeps-graph",
        "memo-key-omits-argument",
        "mutable-default-stored",
        "operation-without-effect",
        "or-number",
        "permissive-default",
        "silent-cap",
        "swallowed-interrupt",
        "test-set-drop-last",
        "unbiased-std-of-one",
        "unguarded-mask-mean",
        "unclamped-arccosine",
        "unclamped-exponential",
        "uncorrected-ema",
        "unknown-string-default",
        "unused-causal-flag",
        "where-hides-nan",
    }
)
MARK = re.compile(r"  # bug: (?P<rule>[a-z-]+)$", re.MULTILINE)


class MarkedBug(NamedTuple):
    """A file whose marked lines a rule reports, and its repaired twin."""

    name: str
    code: str
    repaired: str

    @property
    def expected(self) -> list[tuple[int, str]]:
        """The (line, rule) of each mark."""
        lines = enumerate(dedent(self.code).splitlines(), 1)
        marks = ((number, MARK.search(line)) for number, line in lines)
        return [(number, mark["rule"]) for number, mark in marks if mark is not None]


def reported(code: str, rules: frozenset[str]) -> list[tuple[int, str]]:
    """Return the (line, rule) of each finding of the given rules that run by default or are `ASKED`."""
    source = parse("case.py", MARK.sub("", dedent(code)).encode())
    assert isinstance(source, Source), source
    enabled = [
        rule()
        for rule in discover().values()
        if rule.id in rules and (rule.default or rule.id in ASKED)
    ]
    result = check_source(source, TriggerTable.of(enabled))
    assert result.not_analysed == []
    return [(finding.location.line, finding.check) for finding in result.findings]
