"""Output for test reporters: JUnit XML, a failure for each finding and a passed case for each clean check."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.reports.finding_groups import by_severity
from esper_audit.rules.catalogue import CheckCatalogue

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return one test suite."""
    cases = [_failure(finding) for finding in by_severity(audit.findings)]
    cases += [_error(problem) for problem in audit.not_analysed]
    clean = sorted(set(audit.checks) - {finding.check for finding in audit.findings})
    cases += [_case("esper-audit", check) for check in clean]
    counts = {
        "tests": str(len(cases)),
        "failures": str(len(audit.findings)),
        "errors": str(len(audit.not_analysed)),
        "skipped": "0",
    }
    suites = ET.Element("testsuites", {"name": "esper-audit", **counts})
    suite = ET.SubElement(suites, "testsuite", {"name": "esper-audit", **counts})
    suite.extend(cases)
    ET.indent(suites)
    text = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _case(place: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": _text(place), "name": _text(name)})


def _failure(finding: Finding) -> ET.Element:
    at = finding.location
    case = _case(at.path, f"{finding.check} (line {at.line}, column {at.column})")
    case.attrib |= {"file": _text(at.path), "line": str(at.line)}
    attributes = {"message": _text(finding.message), "type": f"{finding.severity} {finding.check}"}
    failure = ET.SubElement(case, "failure", attributes)
    failure.text = _text(f"{at.path}:{at.line}:{at.column}: {finding.message}\n{finding.excerpt}")
    return case


def _error(problem: NotAnalysed) -> ET.Element:
    case = _case(problem.path, f"not looked at (line {problem.line}) {problem.check}".rstrip())
    attributes = {"message": _text(problem.reason), "type": "not looked at"}
    ET.SubElement(case, "error", attributes).text = _text(problem.sentence())
    return case


def _text(text: str) -> str:
    """Return text without the characters that XML cannot hold."""
    return NO_XML.sub("\ufffd", text)
