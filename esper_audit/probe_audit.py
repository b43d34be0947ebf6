"""Probes as an audit: records to findings, expectations and tickets taken into account."""

from __future__ import annotations

import msgspec

from esper_audit.audit import Audit
from esper_audit.baseline import read_baseline
from esper_audit.config import Project
from esper_audit.errors import ConfigError
from esper_audit.expectation import idle_expectations
from esper_audit.finding import NotAnalysed
from esper_audit.probe_findings import with_records
from esper_audit.probing import Probed, Progress, TorchMissing, Wanted
from esper_audit.probing import probe as put_to_probes

SUBJECTS = "subjects"


def probe(project: Project, wanted: Wanted, progress: Progress | None = None) -> Audit:
    """Probe the subjects alone, and set aside what has a ticket."""
    if not wanted.subjects and not project.config.subjects:
        raise ConfigError(
            f"{project.file or project.root}: no subjects to probe; name the function that yields them: "
            'subjects = ["path/to/file.py:function"] in [tool.esper-audit], or on the command line'
        )
    audit = Audit(
        root=project.root,
        findings=[],
        suppressed=[],
        not_analysed=[],
        files=0,
        checks=[],
        off=[],
    )
    probed = put_to_probes(project, wanted, progress)
    everything = not (wanted.subjects or wanted.probes)
    audit = _with_probes(audit, project, probed, wanted.today if everything else "")
    tickets = project.resolve(project.config.tickets)
    return read_baseline(tickets).apply(audit, tickets, {})


def joined(
    audit: Audit, project: Project, wanted: Wanted, progress: Progress | None = None
) -> Audit:
    """Return an audit of the source with what the project's probes say beside it.

    Without torch the subjects were not looked at, and the audit says so.
    """
    if not project.config.subjects:
        return audit
    try:
        probed = put_to_probes(project, wanted, progress)
    except TorchMissing as error:
        missed = [NotAnalysed(SUBJECTS, str(error), check="probing")]
        probed = Probed([], missed, [])
    return _with_probes(audit, project, probed, wanted.today)


def _with_probes(audit: Audit, project: Project, probed: Probed, today: str) -> Audit:
    """Add findings, what was not looked at and, where `today` is given, expectations that are idle."""
    lost = [
        NotAnalysed(SUBJECTS, f"{unit} is promised, and there is nothing to run", check="probing")
        for unit in probed.without_unit
    ]
    audit = with_records(audit, probed.records)
    idle = idle_expectations(project, probed.records, today) if today else []
    return msgspec.structs.replace(
        audit,
        findings=sorted([*audit.findings, *idle], key=lambda f: f.order),
        not_analysed=sorted({*audit.not_analysed, *probed.not_analysed, *lost}),
    )
