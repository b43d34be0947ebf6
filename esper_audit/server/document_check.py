"""The check of a document as the editor holds it, and the local rules that an untrusted workspace leaves out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec

from esper_audit.engine import pipeline
from esper_audit.engine.fixes import FixMode
from esper_audit.findings.audit import Audit
from esper_audit.findings.errors import EsperAuditError
from esper_audit.project.config import Project, find_project
from esper_audit.project.config_tables import Config
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.selection import ALL
from esper_audit.rules.suppression.suppression_checks import SUPPRESSION_CHECKS, InvalidSuppression
from esper_audit.source.syntax.source import encoding_of

SAFE_ONLY = FixMode(unsafe=False, write=False)


class DocumentResult(msgspec.Struct, frozen=True):
    """The audit of a document with the catalogue of its project.

    `withheld` are the local rules that did not run because the workspace is not trusted.
    """

    audit: Audit
    catalogue: CheckCatalogue
    withheld: tuple[str, ...] = ()


class DocumentChecker:
    """Check and fix documents, without a state between two requests.

    `today` returns the date that expiry dates are compared with. Local rules run only where the
    workspace is trusted.
    """

    def __init__(self, today: Callable[[], str], *, trusted: bool) -> None:
        self._today = today
        self.trusted = trusted

    def check(self, path: str, text: str) -> DocumentResult | str:
        """Return the result for the file at `path` (absolute) with this text, or why there is none."""
        try:
            project, withheld = self._project(path)
            audit = pipeline.check_text(project, self._request(path), path, _encoded(text))
            return DocumentResult(audit, CheckCatalogue.of_project(project), withheld)
        except (EsperAuditError, OSError) as error:
            return str(error)

    def fixed_text(self, path: str, text: str) -> str:
        """Return the text with all safe fixes applied."""
        project, _ = self._project(path)
        fixed = pipeline.fix_text(project, self._request(path), SAFE_ONLY, path, _encoded(text))
        return fixed.after if fixed else text

    def _request(self, path: str) -> pipeline.CheckRequest:
        return pipeline.CheckRequest(paths=[path], today=self._today())

    def _project(self, path: str) -> tuple[Project, tuple[str, ...]]:
        project = find_project([path])
        if self.trusted or not project.config.local_rules:
            return project, ()
        config = without_local_rules(project.config)
        return msgspec.structs.replace(project, config=config), tuple(project.config.local_rules)


def without_local_rules(config: Config) -> Config:
    """Return a configuration without its local rules and without every mention of a check that they define.

    Whether a comment names a known check cannot be decided then, so `invalid-suppression` is off.
    """
    registry = RuleRegistry()
    known = {*registry.summaries, *registry.tree_ids, *SUPPRESSION_CHECKS, ALL}
    return msgspec.structs.replace(
        config,
        local_rules=[],
        select=_kept(config.select, known),
        extend_select=_kept(config.extend_select, known),
        ignore=[*_kept(config.ignore, known), InvalidSuppression.id],
        per_path=[
            msgspec.structs.replace(
                entry, select=_kept(entry.select, known), ignore=_kept(entry.ignore, known)
            )
            for entry in config.per_path
        ],
        allow=[entry for entry in config.allow if entry.check in known],
        rules={check: options for check, options in config.rules.items() if check in known},
    )


def _kept(checks: Iterable[str], known: Collection[str]) -> list[str]:
    return [check for check in checks if check in known]


def _encoded(text: str) -> bytes:
    """Return the text of an editor in the encoding that its source declares, UTF-8 where that fails."""
    data = text.encode("utf-8", "replace")
    try:
        return text.encode(encoding_of(data))
    except (LookupError, SyntaxError, UnicodeEncodeError):
        return data
