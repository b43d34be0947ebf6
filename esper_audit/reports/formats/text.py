"""Output for people: a code frame a finding, the broken contracts, what was not looked at, a summary."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import EvidenceLevel, Finding
from esper_audit.findings.probe_record import Verdict, is_bad, tally, told, undecided
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.terminal import CONTROL_PICTURES, StyledText, harmless, wrapped

CONTROL_PICTURES |= {0x7F: 0x2421, **dict.fromkeys(range(0x80, 0xA0), 0xFFFD)}


def render(audit: Audit, handbook: CheckCatalogue) -> str:
    """Return the report as plain text."""
    return "".join(piece.text for piece in pieces(audit, handbook))


def pieces(audit: Audit, handbook: CheckCatalogue) -> Iterator[StyledText]:
    """Yield the report piece by piece, styled for a terminal."""
    for finding in audit.findings:
        yield from map(harmless, _frame(finding))
    yield from _contracts(audit, handbook)
    yield from _probes(audit)
    yield from map(harmless, _not_analysed(audit))
    yield from _timings(audit)
    yield from _summary(audit)


def _timings(audit: Audit) -> Iterator[StyledText]:
    """Yield a table of what each rule cost, if that was requested."""
    if not audit.timings:
        return
    yield StyledText("Time of the rules\n", "bold")
    yield StyledText(f"  {'seconds':>8} {'files':>6} {'candidates':>10}  rule\n", "dim")
    for one in audit.timings:
        yield StyledText(
            f"  {one.seconds:>8.3f} {one.files:>6} {one.candidates:>10}  {one.check}\n"
        )
    yield StyledText("\n")


def _frame(finding: Finding) -> Iterator[StyledText]:
    at = finding.location
    yield StyledText(f"{at.path}:{at.line}:{at.column}", "bold")
    yield StyledText(f" {finding.severity} ", "yellow" if finding.severity >= "P3" else "red")
    yield StyledText(finding.check, "cyan")
    yield StyledText(f" in {at.symbol}\n" if at.symbol else "\n")
    yield StyledText(wrapped(finding.message, "  "))
    for number, line in enumerate(finding.excerpt.split("\n"), finding.excerpt_line):
        hit = at.line <= number <= at.end_line
        yield StyledText(f"  {'>' if hit else ' '} {number:>5} | ", "red" if hit else "dim")
        yield StyledText(f"{line}\n" if line else "\n", "" if hit else "dim")
        if number == at.line:
            yield StyledText(f"          | {_underline(finding, line)}\n", "red")
    if finding.impact is not None:
        yield StyledText(wrapped(f"impact: {finding.impact.words}", "  ", "  "), "magenta")
    if finding.edit is not None:
        how = "--fix" if finding.edit.safe else "--unsafe-fixes"
        yield StyledText(wrapped(f"fix ({how}): {finding.edit.description}", "  "), "green")
    yield from _evidence(finding)
    yield StyledText("\n")


def _evidence(finding: Finding) -> Iterator[StyledText]:
    """Say what probes read here, and show the Python that reads the first of it again."""
    for evidence in finding.probed:
        sentence, _, reading = evidence.message.rpartition(": ")
        shown = reading if finding.message.endswith(sentence) else evidence.message
        said = f"{finding.standing}: {evidence.unit} {evidence.verdict}, {shown}"
        yield StyledText(wrapped(said, "  ", "  "), "magenta")
    reproducer = next((e.reproducer for e in finding.probed if e.reproducer), "")
    if reproducer and finding.standing is not EvidenceLevel.REFUTED:
        yield StyledText("  shown again by\n", "dim")
        yield StyledText(textwrap.indent(reproducer.rstrip("\n"), "    ") + "\n", "dim")


def _underline(finding: Finding, line: str) -> str:
    at = finding.location
    end = at.end_column - 1 if at.end_line == at.line else len(line.rstrip())
    indent = "".join("\t" if character == "\t" else " " for character in line[: at.column - 1])
    return indent + "^" * max(1, end - (at.column - 1))


def _contracts(audit: Audit, handbook: CheckCatalogue) -> Iterator[StyledText]:
    if not audit.findings:
        return
    yield StyledText("Contracts broken\n", "bold")
    counts = Counter((finding.contract, finding.check) for finding in audit.findings)
    for (contract, check), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield StyledText(f"  {contract} ({count})", "bold")
        yield StyledText(f" esper-audit rule {check}\n", "dim")
        yield StyledText(wrapped(handbook.contracts[contract].statement, "    "))
    yield StyledText("\n")


def _probes(audit: Audit) -> Iterator[StyledText]:
    tallies = tally(audit.records)
    if not tallies:
        return
    yield StyledText("Probes\n", "bold")
    for probe, counts in tallies.items():
        yield StyledText(f"  {probe:<24}{told(counts)}\n", "red" if is_bad(counts) else "")
    for record in undecided(audit.records):
        yield StyledText(wrapped(f"{record.verdict}: {record.unit}: {record.message}", "  ", "  "))
    yield StyledText("\n")


def _not_analysed(audit: Audit) -> Iterator[StyledText]:
    if not audit.not_analysed:
        return
    yield StyledText("Not looked at\n", "bold red")
    for problem in audit.not_analysed:
        yield StyledText(wrapped(problem.sentence(), "  ", "  "))
    yield StyledText("\n")


def _summary(audit: Audit) -> Iterator[StyledText]:
    if audit.findings:
        by_severity = Counter(finding.severity for finding in audit.findings)
        counted = ", ".join(
            f"{count} {severity}" for severity, count in sorted(by_severity.items())
        )
        yield StyledText(f"{_count(len(audit.findings), 'finding')} ({counted})", "bold")
        files = len({finding.location.path for finding in audit.findings})
        yield StyledText(
            f" in {files} of {_count(audit.files, 'file')}" if audit.files else "", "bold"
        )
    elif audit.records and not audit.files:
        yield StyledText("No findings", "bold")
    elif audit.files:
        yield StyledText(f"No findings in {_count(audit.files, 'file')}", "bold")
    else:
        yield StyledText("No Python file to look at", "bold")
    if audit.suppressed:
        yield StyledText(f", {len(audit.suppressed)} authorised")
    if audit.ticketed:
        yield StyledText(f", {len(audit.ticketed)} with a ticket")
    if audit.hidden:
        yield StyledText(f", {audit.hidden} older left out")
    if audit.excluded:
        yield StyledText(f", {_count(len(audit.excluded), 'file')} excluded by configuration")
    if audit.not_analysed:
        yield StyledText(f", {len(audit.not_analysed)} NOT LOOKED AT", "bold red")
    if audit.records:
        made = [r for r in audit.records if r.verdict is not Verdict.NOT_APPLICABLE]
        subjects = len({record.subject for record in made})
        yield StyledText(f"; {_count(len(made), 'unit')} of {_count(subjects, 'subject')} probed\n")
        return
    yield StyledText(f"; {_count(len(audit.checks), 'check')} on")
    yield StyledText(f", {len(audit.off)} off\n" if audit.off else "\n")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
