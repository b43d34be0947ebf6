"""The pictures of an audit, by the name of their file."""

from __future__ import annotations

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.reports.pictures.discovery_coverage import TITLE as COVERAGE_TITLE
from esper_audit.reports.pictures.discovery_coverage import discovery_coverage
from esper_audit.reports.pictures.gradient_ratios import TITLE as RATIO_TITLE
from esper_audit.reports.pictures.gradient_ratios import gradient_ratios
from esper_audit.reports.pictures.parameter_counts import TITLE as COUNTS_TITLE
from esper_audit.reports.pictures.parameter_counts import parameter_counts


class Picture(msgspec.Struct, frozen=True):
    """A picture as SVG (empty for none), with its title and the name of its file."""

    file: str
    title: str
    svg: str


def audit_pictures(audit: Audit) -> list[Picture]:
    """Return every picture, without `svg` where the audit has no measurements for it."""
    return [
        Picture("parameters.svg", COUNTS_TITLE, parameter_counts(audit.records)),
        Picture("gradients.svg", RATIO_TITLE, gradient_ratios(audit.records)),
        Picture("coverage.svg", COVERAGE_TITLE, discovery_coverage(audit.coverage)),
    ]
