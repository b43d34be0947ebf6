"""Suppress authorised findings, and report authorisations that are invalid, expired or unused."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from esper_audit.findings.finding import (
    Finding,
    Location,
    Suppressed,
    Suppression,
)
from esper_audit.project.config_tables import AllowedFinding, SuppressionPolicy
from esper_audit.project.path_patterns import PathPatterns
from esper_audit.rules.finding_builder import make_finding
from esper_audit.rules.rule import Check
from esper_audit.rules.suppression.suppression_checks import (
    ExpiredSuppression,
    InvalidSuppression,
    UnusedSuppression,
)
from esper_audit.rules.suppression.suppression_comments import (
    Authorisation,
    Comment,
    Malformed,
    lines_of_next_statement,
    may_hold_comments,
    read_comments,
)
from esper_audit.source.syntax.enclosing import chain, symbol_of
from esper_audit.source.syntax.source import Source
from esper_audit.text.phrases import did_you_mean
from esper_audit.tracking.fingerprint import assign_fingerprints

NO_POLICY = SuppressionPolicy()


class SuppressionResult(msgspec.Struct, frozen=True):
    """The findings of one file after its suppressions, and the suppressed ones."""

    findings: list[Finding]
    suppressed: list[Suppressed]


class Suppressor:
    """Apply the exceptions of the configuration and the comments of a file to findings."""

    def __init__(
        self,
        allow: Sequence[AllowedFinding],
        *,
        today: str,
        known: Collection[str],
        authorised_words: Mapping[str, str],
        policy: SuppressionPolicy = NO_POLICY,
    ) -> None:
        self._allow = _with_patterns(allow) if allow else []
        self._policy = policy
        self._today = today
        self._known = known
        self._words = authorised_words

    def apply(
        self, source: Source, findings: Iterable[Finding], completed: Collection[str]
    ) -> SuppressionResult:
        """Return the findings of a file, kept and suppressed.

        `completed` are the checks that ran on it.
        """
        comments: list[Authorisation] = []
        malformed: list[Malformed] = []
        if may_hold_comments(source.data):
            comments, malformed = read_comments(source, self._words)
        about = [_about(source, m.comment, InvalidSuppression, m.message) for m in malformed]
        valid = []
        for comment in comments:
            objection = self._objection(source, comment)
            if objection is None:
                valid.append(comment)
            else:
                about.append(objection)
        kept, suppressed, idle = self._sort(findings, valid)
        for authorisation, check in ((a, check) for a, check in idle if check in completed):
            place = _misplaced(source, authorisation, check, kept)
            if place is None:
                message = f"authorises nothing: no `{check}` here"
                about.append(_about(source, authorisation.comment, UnusedSuppression, message))
            else:
                kept[place] = _with_hint(kept[place], authorisation)
        kept = sorted([*kept, *assign_fingerprints(about)], key=lambda finding: finding.order)
        return SuppressionResult(kept, suppressed)

    def without_allowed(
        self, findings: Iterable[Finding]
    ) -> tuple[list[Finding], list[Suppressed]]:
        """Return the findings that no exception of the configuration covers, and those that one covers."""
        result = self._sort(findings, [])
        return result[0], result[1]

    def _sort(
        self, findings: Iterable[Finding], comments: list[Authorisation]
    ) -> tuple[list[Finding], list[Suppressed], list[tuple[Authorisation, str]]]:
        kept: list[Finding] = []
        suppressed: list[Suppressed] = []
        idle = {(comment, check) for comment in comments for check in comment.checks}
        for finding in findings:
            by_comment = [c for c in comments if finding.check in c.checks and _covers(c, finding)]
            by_config = self._exceptions(finding)
            if by_comment:
                idle -= {(comment, finding.check) for comment in by_comment}
                suppressed.append(Suppressed(finding, _by_comment(by_comment[0])))
            elif by_config:
                first = self._allow[by_config[0]][0]
                suppressed.append(Suppressed(finding, _by_config(first, by_config)))
            else:
                kept.append(finding)
        in_order = sorted(idle, key=lambda pair: (pair[0].comment, pair[1]))
        return kept, suppressed, in_order

    def _objection(self, source: Source, a: Authorisation) -> tuple[Finding, str] | None:
        unknown = [check for check in a.checks if check not in self._known]
        if unknown:
            hint = did_you_mean(unknown[0], self._known)
            return _about(
                source,
                a.comment,
                InvalidSuppression,
                f"names the unknown check '{unknown[0]}'{hint}",
            )
        if not a.reason:
            addition = (
                "a `# Justification: ...` line below"
                if a.origin == "authorisation"
                else "` -- REASON`"
            )
            return _about(source, a.comment, InvalidSuppression, f"gives no reason; add {addition}")
        if a.until and a.until < self._today:
            return _about(
                source, a.comment, ExpiredSuppression, f"expired on {a.until}: {a.reason}"
            )
        missing = self._missing(a)
        return _about(source, a.comment, InvalidSuppression, missing) if missing else None

    def _missing(self, a: Authorisation) -> str:
        """Return what the policy of the project requires and an authorisation lacks, empty for nothing."""
        if self._policy.require_owner and not a.owner:
            return "names no owner, which this project requires; add `by NAME`"
        if self._policy.require_expiry and not a.until:
            return "has no last day, which this project requires; add `until YYYY-MM-DD`"
        return ""

    def _exceptions(self, finding: Finding) -> list[int]:
        """Return the positions of the configured exceptions that cover a finding and have not expired."""
        return [
            position
            for position, (entry, paths) in enumerate(self._allow)
            if entry.check == finding.check
            and not (entry.until and entry.until < self._today)
            and fnmatch.fnmatchcase(finding.location.symbol, entry.symbol)
            and paths.is_match(finding.location.path)
        ]


def _with_patterns(
    allow: Sequence[AllowedFinding],
) -> list[tuple[AllowedFinding, PathPatterns]]:
    return [(entry, PathPatterns([entry.path])) for entry in allow]


def _covers(authorisation: Authorisation, finding: Finding) -> bool:
    start = finding.location.line
    end = finding.location.end_line if authorisation.overlapping else start
    return start <= authorisation.last and authorisation.first <= end


def _misplaced(
    source: Source, authorisation: Authorisation, check: str, findings: Sequence[Finding]
) -> int | None:
    """Return the position of a finding of a check one statement below an authorisation, or None."""
    first, last = lines_of_next_statement(source, authorisation)
    places = (
        position
        for position, finding in enumerate(findings)
        if finding.check == check and first <= finding.location.line <= last
    )
    return next(places, None)


def _with_hint(finding: Finding, authorisation: Authorisation) -> Finding:
    """Return a finding whose message refers to the authorisation that is located too high."""
    first, last = authorisation.first, authorisation.last
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    hint = (
        f"the authorisation on line {authorisation.comment.line} covers only {lines}; move it down"
    )
    return msgspec.structs.replace(finding, message=f"{finding.message} ({hint})")


def _by_comment(authorisation: Authorisation) -> Suppression:
    return Suppression(
        authorisation.origin, authorisation.reason, authorisation.owner, authorisation.until
    )


def _by_config(entry: AllowedFinding, entries: Sequence[int]) -> Suppression:
    return Suppression(
        "configuration", entry.reason, entry.owner, entry.until or "", tuple(entries)
    )


def _about(
    source: Source, comment: Comment, check: type[Check], message: str
) -> tuple[Finding, str]:
    """Return a finding about a comment, and the text by which it is recognised."""
    location = Location(
        path=source.path,
        line=comment.line,
        column=comment.column,
        end_line=comment.line,
        end_column=comment.column + len(comment.text),
        symbol=symbol_of(chain(source.tree, comment.line, comment.column - 1)),
    )
    excerpt = source.lines[comment.line - 1].rstrip("\n")
    # A comment is not code: with its mark it would have no identity.
    words = comment.text.lstrip("# ")
    return make_finding(check, location, f"this authorisation {message}", excerpt), words
