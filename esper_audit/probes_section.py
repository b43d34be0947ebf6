"""What `audit.md` says of the probes: a verdict a contract, a line a probe, and what stayed undecided."""

from __future__ import annotations

from collections import Counter

from esper_audit.audit import Audit
from esper_audit.markdown import cell, code, count
from esper_audit.tally import tally, told, undecided
from esper_audit.verdict import Record, Verdict


def probe_verdict(contract: str, probes: list[str], audit: Audit) -> str:
    """Say what running modules tells of a contract; "holds" only if every promise was decided."""
    if not probes:
        return "no probe"
    records = [r for r in audit.records if r.contract == contract]
    made = [r for r in records if r.verdict is not Verdict.NOT_APPLICABLE]
    if not made:
        return "not applicable: nobody promises it" if audit.records else "not looked at"
    return _verdict(made)


def _verdict(made: list[Record]) -> str:
    counts = Counter(record.verdict for record in made)
    kept, broken = counts[Verdict.PASS], counts[Verdict.FAIL] + counts[Verdict.UNEXPECTED_PASS]
    open_ = counts[Verdict.INCONCLUSIVE] + counts[Verdict.BLOCKED_BY] + counts[Verdict.NO_VERDICT]
    if broken:
        said = f"**broken**: {broken} of [{len(made)}](#probes)"
    elif kept:
        said = f"holds in [{count(kept, 'unit')}](#probes)"
    else:
        said = "nothing shown"
    expected = counts[Verdict.EXPECTED_FAIL]
    said += f", {expected} expected to fail" if expected else ""
    return f"{said}, not looked at in {open_}" if open_ else said


def probes_section(audit: Audit) -> dict[str, object] | None:
    """Return the rows of the probes that ran; None where none did."""
    tallies = tally(audit.records)
    if not tallies:
        return None
    contracts = {record.probe: record.contract for record in audit.records}
    subjects: dict[str, set[str]] = {}
    for record in audit.records:
        if record.verdict is not Verdict.NOT_APPLICABLE:
            subjects.setdefault(record.probe, set()).add(record.subject)
    return {
        "rows": [
            {
                "probe": probe,
                "contract": contracts[probe],
                "subjects": len(subjects[probe]),
                "units": told(counts),
            }
            for probe, counts in tallies.items()
        ],
        "undecided": [
            f"{record.verdict}: {code(record.unit)}: {cell(record.message)}"
            for record in undecided(audit.records)
        ],
    }
