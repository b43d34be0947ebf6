"""An audit of a watched command: findings at the user's lines, and what was not looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.errors import UsageError
from esper_audit.findings.finding import (
    EvidenceLevel,
    Finding,
    Location,
    NotAnalysed,
    ProbeEvidence,
    Span,
)
from esper_audit.project.config import Project
from esper_audit.rules.finding_builder import finding_at, make_finding
from esper_audit.rules.monitor_catalogue import monitor_descriptions
from esper_audit.rules.rule import Check
from esper_audit.source.syntax.source import parse, read
from esper_audit.text.phrases import did_you_mean
from esper_audit.tracking.fingerprint import assign_fingerprints
from esper_audit.watch.rank_comparison import compare_ranks
from esper_audit.watch.records import Seen
from esper_audit.watch.session import WatchRequest, WatchResult, run_watched

COMMAND = "command"  # the path of a note that concerns no file


def audit_command(project: Project, request: WatchRequest) -> tuple[Audit, WatchResult]:
    """Run a command with monitors, and return the audit of what they saw.

    An unknown monitor raises UsageError.
    """
    known = monitor_descriptions()
    unknown = [name for name in request.only if name not in known]
    if unknown:
        raise UsageError(f"unknown monitor '{unknown[0]}'{did_you_mean(unknown[0], known)}")
    result = run_watched(request, project.root)
    wanted = request.only or tuple(known)
    seen = [*result.seen, *compare_ranks(result.measured)]
    findings = assign_fingerprints(
        (_finding(project.root, found), f"{found.place.function} {found.code}")
        for found in _first_of_each(seen)
    )
    audit = Audit(
        root=project.root,
        findings=sorted(findings, key=lambda finding: finding.order),
        suppressed=[],
        not_analysed=sorted(_not_looked_at(result)),
        files=len(_files(result)),
        checks=sorted(wanted),
        off=sorted(known.keys() - set(wanted)),
    )
    return audit, result


def _files(result: WatchResult) -> set[str]:
    """Return the user's files that a monitor looked at."""
    return {place.path for places in result.places.values() for place in places}


def _first_of_each(seen: Sequence[Seen]) -> list[Seen]:
    """Return one of each kind and place: ranks report what all of them see."""
    found: dict[tuple[str, str, str, int], Seen] = {}
    for each in sorted(seen, key=lambda s: (s.step, s.rank)):
        found.setdefault((each.check, each.code, each.place.path, each.place.line), each)
    return list(found.values())


def _finding(root: str, seen: Seen) -> Finding:
    check, place = monitor_descriptions()[seen.check], seen.place
    rank = f" (rank {seen.rank})" if seen.rank >= 0 else ""
    message = f"{seen.message} [step {seen.step}{rank}]"
    file = os.path.join(root, place.path)
    finding = _at_line(check, file, place.path, place.line, message)
    evidence = ProbeEvidence(
        unit=f"{seen.check}@step {seen.step}",
        verdict="fail",
        code=seen.code,
        message=seen.message,
        table=(tuple(seen.evidence), tuple(seen.evidence.values())) if seen.evidence else (),
    )
    return msgspec.structs.replace(finding, standing=EvidenceLevel.MEASURED, probed=(evidence,))


def _at_line(check: type[Check], file: str, path: str, line: int, message: str) -> Finding:
    """Return a finding at a line, with its symbol and the lines around it where the file can be read."""
    data = read(os.path.dirname(file), os.path.basename(file)) if line else NotAnalysed(path, "")
    source = data if isinstance(data, NotAnalysed) else parse(path, data)
    if isinstance(source, NotAnalysed):
        return make_finding(check, Location(path or COMMAND, line, 1, line, 1, ""), message, "")
    text = source.lines[line - 1].rstrip("\n")
    start = len(text) - len(text.lstrip())
    return finding_at(check, source, Span(line, start, line, max(len(text), start)), message)


def _not_looked_at(result: WatchResult) -> list[NotAnalysed]:
    """Return why the command could not be watched, and which monitors failed."""
    if not result.ended:
        reason = (
            "no process imported torch with its hooks. Watch a Python program that imports torch, in an "
            "environment with esper-audit, without -I or -E"
        )
        return [NotAnalysed(COMMAND, reason)]
    notes = [
        NotAnalysed(COMMAND, f"the monitor raised {failed.error}", check=failed.check)
        for failed in result.failed
    ]
    if not any(process.steps for process in result.ended):
        built = any(process.optimizers for process in result.ended)
        reason = "no optimizer stepped" if built else "no optimizer was built"
        return [
            NotAnalysed(
                COMMAND, f"{reason}: the command ended before, or trains without torch.optim"
            )
        ]
    if result.status:
        notes.append(NotAnalysed(COMMAND, f"the command ended with status {result.status}"))
    return notes
