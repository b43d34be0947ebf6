"""The checks whose findings are about authorisations: invalid, expired and unused ones."""

from __future__ import annotations

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import EVERY_ROLE
from esper_audit.rules.rule import Check


class SuppressionCheck(Check):
    """A check about authorisations, which every file may hold."""

    contract = "live-authorisations"
    category = Category.DEFENSIVE_PROGRAMMING
    roles = EVERY_ROLE


class InvalidSuppression(SuppressionCheck):
    """An authorisation does not say what, or not why.

    What: a comment that means to authorise a finding but does not follow the grammar, names a check
    that does not exist, or gives no reason.

    Why: an exception without a reason cannot be reviewed, and one that is misspelt silences nothing
    while its author believes that it does.

    Quiet: every comment of the form `# esper-audit: allow CHECK -- REASON`.

    Tickets: deep dive 4
    """

    id = "invalid-suppression"
    severity = Severity.P3


class ExpiredSuppression(SuppressionCheck):
    """An authorisation has run out.

    What: an authorisation whose `until` date has passed; it no longer silences anything.

    Why: its author promised to come back to this place by that day.

    Quiet: authorisations without a date, and those whose day has not passed.

    Tickets: deep dive 4
    """

    id = "expired-suppression"
    severity = Severity.P3


class UnusedSuppression(SuppressionCheck):
    """An authorisation authorises nothing.

    What: an authorisation whose check ran on the file and found nothing at the place.

    Why: what it excused is gone, and it would hide the next finding there.

    Quiet: authorisations of a check that did not run here, or could not; those one statement above
    their place, which the finding there names.

    Tickets: deep dive 4
    """

    id = "unused-suppression"
    severity = Severity.P4


class GrownException(SuppressionCheck):
    """An exception of the configuration covers more findings than it was written for.

    What: a table `[[allow]]` with `most` that suppresses more findings than that.

    Why: an exception with a wildcard lets in every further finding of its kind unseen.

    Quiet: tables without `most`, and runs that do not look at every file.

    Tickets: real code
    """

    id = "grown-exception"
    severity = Severity.P3


SUPPRESSION_CHECKS: dict[str, type[Check]] = {
    check.id: check
    for check in (ExpiredSuppression, GrownException, InvalidSuppression, UnusedSuppression)
}
