"""Output for the terminal: findings with source lines, broken contracts, probes and a summary."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import EvidenceLevel, Finding, NotAnalysed
from esper_audit.findings.probe_record import (
    READING,
    Verdict,
    has_failures,
    tally,
    tally_text,
    undecided_records,
)
from esper_audit.reports.coverage_table import coverage_lines
from esper_audit.reports.finding_groups import FindingGroup, by_severity, fold_equal, statistics
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import count, listed
from esper_audit.text.terminal import (
    CUT,
    SEVERITY_STYLES,
    StyledText,
    cut_to_screen,
    show_control_characters,
    width,
    wrapped,
)

MOST_LINES = 9
MOST_ALIKE = 5  # files that were not looked at for one reason; all are in the JSON
GUTTER = 12  # columns before the code of a frame


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return the report as plain text."""
    return "".join(part.text for part in styled_audit(audit, catalogue))


def styled_audit(
    audit: Audit, catalogue: CheckCatalogue, *, only_counts: bool = False
) -> Iterator[StyledText]:
    """Yield the report as styled text, with counts in place of the findings if `only_counts`."""
    if only_counts:
        yield from _statistics(audit)
    else:
        for group in fold_equal(audit.findings):
            yield from map(show_control_characters, _frame(group))
    yield from _contracts(audit, catalogue)
    yield from _probes(audit)
    yield from coverage_lines(audit.coverage)
    yield from map(show_control_characters, _not_analysed(audit))
    yield from map(show_control_characters, _expiring(audit))
    yield from _timings(audit)
    yield from summary(audit)


def _statistics(audit: Audit) -> Iterator[StyledText]:
    """Yield a table of the findings of each check."""
    counts = statistics(audit.findings)
    if not counts:
        return
    widest = max(len(one.check) for one in counts)
    yield StyledText(f"{'findings':>8} {'files':>6} {'fixable':>8}  \n", "dim")
    for one in counts:
        yield StyledText(f"{one.findings:>8,} {one.files:>6,} {one.fixable:>8,}  ")
        yield StyledText(f"{one.severity} ", SEVERITY_STYLES[one.severity])
        yield StyledText(f"{one.check:<{widest}}".rstrip() + "\n", "cyan")
    yield StyledText("\n")


def _expiring(audit: Audit) -> Iterator[StyledText]:
    """Yield the suppressions that end soon and whose finding is still there."""
    if not audit.expiring:
        return
    yield StyledText("Expiring soon\n", "bold")
    for one in audit.expiring:
        at, given = one.finding.location, one.suppression
        owner = f" ({given.owner})" if given.owner else ""
        text = (
            f"{at.path}:{at.line}: {one.finding.check} until {given.until}{owner}: {given.reason}"
        )
        yield StyledText(wrapped(text, "  ", "    "))
    yield StyledText("\n")


def _timings(audit: Audit) -> Iterator[StyledText]:
    """Yield a table of what each rule cost, if that was requested."""
    if not audit.timings:
        return
    yield StyledText("Time of the rules\n", "bold")
    yield StyledText(f"  {'seconds':>8} {'files':>6} {'candidates':>10}  rule\n", "dim")
    for timing in audit.timings:
        yield StyledText(
            f"  {timing.seconds:>8.3f} {timing.files:>6} {timing.candidates:>10}  {timing.check}\n"
        )
    yield StyledText("\n")


def _frame(group: FindingGroup) -> Iterator[StyledText]:
    finding = group.first
    yield from _heading(finding)
    yield StyledText(wrapped(finding.message, "  "))
    yield from _code(finding)
    if group.others:
        lines = listed([f"{other.location.line:,}" for other in group.others])
        number = len(group.others)
        text = f"and {number:,} more like it, at {'line' if number == 1 else 'lines'} {lines}"
        yield StyledText(wrapped(text, "  ", "  "), "bold")
    if finding.impact is not None:
        yield StyledText(wrapped(f"impact: {finding.impact.words}", "  ", "  "), "magenta")
    if finding.edit is not None:
        how = "--fix" if finding.edit.safe else "--unsafe-fixes"
        yield StyledText(wrapped(f"fix ({how}): {finding.edit.description}", "  "), "green")
    yield from _evidence(finding)
    yield StyledText("\n")


def _heading(finding: Finding) -> Iterator[StyledText]:
    """Yield place, severity, check and symbol, on further lines where one is too narrow."""
    at = finding.location
    place = f"{at.path}:{at.line}:{at.column}"
    symbol = f" in {at.symbol}" if at.symbol else ""
    marked = f" {finding.severity} {finding.check}"
    has_room = len(place + marked) <= width()
    beside = f"{place}{marked}" if has_room else f" {marked}"
    yield StyledText(place if has_room else f"{place}\n ", "bold")
    yield StyledText(f" {finding.severity} ", SEVERITY_STYLES[finding.severity])
    yield StyledText(finding.check, "cyan")
    is_apart = bool(symbol) and len(beside + symbol) > width()
    yield StyledText(f"\n {symbol}\n" if is_apart else f"{symbol}\n")


def _code(finding: Finding) -> Iterator[StyledText]:
    """Yield the lines of code, the middle of a long finding left out."""
    at = finding.location
    shown = list(enumerate(finding.excerpt.split("\n"), finding.excerpt_line))
    left_out = max(0, len(shown) - MOST_LINES)
    last = at.line + max(0, MOST_LINES - (at.line - finding.excerpt_line) - 1)
    for number, line in shown:
        if left_out and number > last:
            break
        hit = at.line <= number <= at.end_line
        yield StyledText(f"  {'>' if hit else ' '} {number:>5} | ", "red" if hit else "dim")
        code = cut_to_screen(line, GUTTER)
        yield StyledText(f"{code}\n" if line else "\n", "" if hit else "dim")
        if number == at.line:
            underline = cut_to_screen(_underline(finding, line), GUTTER).replace(CUT, "^^^")
            yield StyledText(f"          | {underline}\n", "red")
    if left_out:
        yield StyledText(f"          | {CUT} {count(left_out, 'more line')}\n", "dim")


def _evidence(finding: Finding) -> Iterator[StyledText]:
    """Yield the readings of probes at a finding, and Python that reproduces the first of them."""
    for evidence in finding.probed:
        sentence, _, reading = evidence.message.partition(READING)
        is_repeated = bool(reading) and finding.message.endswith(sentence)
        message = f"got {reading}" if is_repeated else evidence.message
        text = f"{finding.standing}: {evidence.unit} {evidence.verdict}, {message}"
        yield StyledText(wrapped(text, "  ", "  "), "magenta")
    reproducer = next((e.reproducer for e in finding.probed if e.reproducer), "")
    if reproducer and finding.standing is not EvidenceLevel.REFUTED:
        yield StyledText("  reproduce with:\n", "dim")
        yield StyledText(textwrap.indent(reproducer.rstrip("\n"), "    ") + "\n", "dim")


def _underline(finding: Finding, line: str) -> str:
    at = finding.location
    end = at.end_column - 1 if at.end_line == at.line else len(line.rstrip())
    indent = "".join("\t" if character == "\t" else " " for character in line[: at.column - 1])
    return indent + "^" * max(1, end - (at.column - 1))


def _contracts(audit: Audit, catalogue: CheckCatalogue) -> Iterator[StyledText]:
    if not audit.findings:
        return
    yield StyledText("Contracts broken\n", "bold")
    counts = Counter((finding.contract, finding.check) for finding in audit.findings)
    worst = {finding.check: finding.severity for finding in reversed(by_severity(audit.findings))}
    ranked = sorted(counts.items(), key=lambda item: (worst[item[0][1]], -item[1], item[0]))
    for (contract, check), number in ranked:
        yield StyledText(f"  {contract} ({number})", "bold")
        yield StyledText(f" esper-audit rule {check}\n", "dim")
        yield StyledText(wrapped(catalogue.contracts[contract].statement, "    "))
    yield StyledText("\n")


def _probes(audit: Audit) -> Iterator[StyledText]:
    tallies = tally(audit.records)
    if not tallies:
        return
    yield StyledText("Probes\n", "bold")
    for probe, counts in tallies.items():
        yield StyledText(
            f"  {probe:<25} {tally_text(counts)}\n", "red" if has_failures(counts) else ""
        )
    for record in undecided_records(audit.records):
        yield StyledText(wrapped(f"{record.verdict}: {record.unit}: {record.message}", "  ", "  "))
    yield StyledText("\n")


def _not_analysed(audit: Audit) -> Iterator[StyledText]:
    if not audit.not_analysed:
        return
    yield StyledText("Not looked at\n", "bold red")
    alike: dict[tuple[str, str], list[NotAnalysed]] = {}
    for problem in audit.not_analysed:
        alike.setdefault((problem.reason, problem.check), []).append(problem)
    for problems in alike.values():
        more = len(problems) - MOST_ALIKE
        for problem in problems[: MOST_ALIKE if more > 1 else None]:
            yield StyledText(wrapped(problem.sentence(), "  ", "  "))
        if more > 1:
            yield StyledText(wrapped(f"and {more} more: {problems[0].reason}", "  ", "  "))
    yield StyledText("\n")


def summary(audit: Audit) -> Iterator[StyledText]:
    """Yield the line that counts what was found, left out and looked at."""
    yield StyledText(_result(audit), "bold")
    counts = {
        "{} authorised": len(audit.suppressed),
        "{} with a ticket": len(audit.ticketed),
        "{} older left out": audit.hidden,
        "{} less severe left out": audit.below_severity,
        "{} more beyond --max-findings": audit.beyond_maximum,
        "{} units unchanged and not looked at": audit.unchanged_units,
    }
    for text, number in counts.items():
        if number:
            yield StyledText(f", {text.format(f'{number:,}')}")
    if audit.excluded:
        yield StyledText(f", {count(len(audit.excluded), 'file')} excluded by configuration")
    if audit.notebooks:
        yield StyledText(f", {count(audit.notebooks, 'notebook')} not looked at")
    if audit.not_analysed:
        yield StyledText(f", {len(audit.not_analysed)} NOT LOOKED AT", "bold red")
    yield StyledText(f"{_scope(audit)}\n")


def _result(audit: Audit) -> str:
    """Return the number of findings and files."""
    if audit.findings:
        by_severity = Counter(finding.severity for finding in audit.findings)
        counted = ", ".join(
            f"{by_severity[severity]} {severity}" for severity in sorted(by_severity)
        )
        findings = f"{count(len(audit.findings), 'finding')} ({counted})"
        files = len({finding.location.path for finding in audit.findings})
        return f"{findings} in {files} of {count(audit.files, 'file')}" if audit.files else findings
    if audit.files:
        return f"No findings in {count(audit.files, 'file')}"
    if audit.records:
        return "No findings"
    if _is_watched_run(audit):
        return "Nothing watched"
    return "Nothing probed" if _is_empty_probe_run(audit) else "No Python files found"


def _scope(audit: Audit) -> str:
    """Return the number of units probed, or of checks on and off."""
    if audit.records:
        applicable = [r for r in audit.records if r.verdict is not Verdict.NOT_APPLICABLE]
        subjects = len({record.subject for record in applicable})
        cached = f" ({audit.cached_units} from the cache)" if audit.cached_units else ""
        return f"; {count(len(applicable), 'unit')} of {count(subjects, 'subject')} probed{cached}"
    if _is_empty_probe_run(audit):
        is_explained = audit.not_analysed or audit.unchanged_units or audit.coverage is not None
        return "" if is_explained else ": no subjects are declared"
    off = f", {len(audit.off)} off" if audit.off else ""
    if _is_watched_run(audit):
        return f"; {count(len(audit.checks), 'monitor')} on{off}"
    policies = len(audit.not_adopted)
    not_adopted = f", {count(policies, 'policy')} not adopted" if policies else ""
    return f"; {count(len(audit.checks), 'check')} on{off}{not_adopted}"


def _is_empty_probe_run(audit: Audit) -> bool:
    """Return whether only probes were to run, and no unit did: a check has checks that are on or off."""
    return not (audit.records or audit.checks or audit.off or audit.files)


def _is_watched_run(audit: Audit) -> bool:
    """Return whether monitors watched a command, and no check read files."""
    if audit.checked or not audit.checks:
        return False
    from esper_audit.rules.monitor_catalogue import monitor_descriptions

    return set(audit.checks) <= monitor_descriptions().keys()
