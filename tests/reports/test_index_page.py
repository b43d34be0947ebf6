"""`index.html`: self-contained, everything in it escaped, its numbers the same on every machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from support.sample_findings import a_finding

from esper_audit.findings.audit import Audit
from esper_audit.findings.coverage import ClassCoverage, Coverage, RecipeOrigin, Stage
from esper_audit.findings.finding import Category, Finding, Severity
from esper_audit.findings.probe_record import ProbeRecord, Verdict, WorstReading
from esper_audit.reports.pages import Reports
from esper_audit.reports.pictures.audit_pictures import audit_pictures
from esper_audit.reports.web.rounded_numbers import reading_text
from esper_audit.rules.catalogue import CheckCatalogue

HOSTILE = '</script><img src=x onerror="document.title=1"> & <b>`x`</b>\u2028'
COLUMNS = ("blueprint", "dim", "declared", "actual", "ratio")


def an_audit(*findings: Finding, records: tuple[ProbeRecord, ...] = ()) -> Audit:
    return Audit(
        root="",
        findings=list(findings),
        suppressed=[],
        not_analysed=[],
        files=1,
        checks=[],
        off=[],
        records=list(records),
    )


def counted(name: str, *pairs: tuple[int, float, int], **changes: object) -> ProbeRecord:
    """Return the record of a probe that counted parameters: (dim, declared, actual)."""
    rows = tuple((name, *pair, pair[1] / max(pair[2], 1)) for pair in pairs)
    made = ProbeRecord(
        unit=f"param-estimate[{name}]",
        probe="param-estimate",
        contract="param-estimate",
        subject=name,
        state="",
        severity=Severity.P2,
        category=Category.API_CONTRACT,
        verdict=Verdict.PASS,
        code="",
        message="",
        table=(COLUMNS, *rows),
    )
    return msgspec.structs.replace(made, **changes)


def page(folder: Path, audit: Audit) -> str:
    Reports(str(folder)).write(audit, {}, CheckCatalogue([], "", []), [])
    return (folder / "index.html").read_text(encoding="utf-8")


def rows(text: str) -> list[dict[str, object]]:
    data = text.partition('<script type="application/json" id="rows">')[2].partition("</script>")[0]
    return [json.loads(line) for line in data.splitlines() if line]


def test_a_message_that_ends_a_script_stays_a_message(tmp_path: Path) -> None:
    hostile = msgspec.structs.replace(
        a_finding(path=f"{HOSTILE}.py"), message=HOSTILE, excerpt=HOSTILE
    )
    text = page(tmp_path, an_audit(hostile))
    assert text.count("</script>") == 3
    assert "<img" not in text
    (finding,) = (row for row in rows(text) if row["kind"] == "finding")
    assert finding["message"] == finding["code"] == HOSTILE


def test_the_page_loads_nothing_and_may_not(tmp_path: Path) -> None:
    text = page(tmp_path, an_audit(a_finding(), records=(counted("mlp", (1, 2, 2)),)))
    assert "default-src 'none'" in text
    assert not re.search(r"<(?:script|img|iframe|link)[^>]*\b(?:src|href)\s*=", text)
    addresses = set(re.findall(r"https?://[^\s'\"<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # the name of SVG, which nothing fetches


@pytest.mark.parametrize(
    ("value", "relation", "limit", "shown"),
    [
        (3.1e-9, "at most", 1e-5, "0 (at most 1e-05)"),
        (3.14159e-6, "at most", 1e-5, "3.1e-06 (at most 1e-05)"),
        (0.0, "at most", 0.0, "0 (at most 0)"),
        (1234.0, "at least", 1.0, "1,234 (at least 1)"),
        (float("nan"), "at most", 1.0, "nan (at most 1)"),
    ],
)
def test_a_reading_has_no_digits_that_differ_between_machines(
    value: float, relation: str, limit: float, shown: str
) -> None:
    assert reading_text(WorstReading("x", value, relation, limit, held=True)) == shown


def test_a_picture_shows_where_declared_and_actual_parameters_differ() -> None:
    records = (
        counted("mlp", (1, 2, 2), (64, 130, 130)),
        counted("gate<1>", (1, 2, 2), (64, 140, 130)),
        counted("library/mlp", (1, 2, 2), (64, 130, 130)),  # the catalogue holds the same one
        counted("nothing", (1, 0, 0), (64, 0, 0)),
    )
    (picture,) = (one for one in audit_pictures(an_audit(records=records)) if one.svg)
    texts = [element.text for element in ET.fromstring(picture.svg).iter() if element.text]
    assert [text for text in texts if text in ("mlp", "gate<1>", "library/mlp")] == [
        "gate<1>",
        "mlp",
    ]
    assert "differ at 1 width" in texts
    assert "equal at every width" in texts
    assert "nothing" not in texts


def test_a_picture_shows_how_far_discovery_came() -> None:
    stages = [Stage.FOUND, Stage.BUILT, Stage.RUN, Stage.CHECKED]
    classes = [
        ClassCoverage(name=f"m.C{n}", path="m.py", line=n, stage=s, origin=RecipeOrigin.GUESSED)
        for n, s in enumerate(stages)
    ]
    audit = msgspec.structs.replace(an_audit(), coverage=Coverage(classes))
    (picture,) = (one for one in audit_pictures(audit) if one.svg)
    texts = [element.text for element in ET.fromstring(picture.svg).iter() if element.text]
    assert [text for text in texts if "%" in text] == ["3 (75%)", "2 (50%)", "1 (25%)"]


def test_a_picture_that_has_no_measurements_any_more_is_removed(tmp_path: Path) -> None:
    page(tmp_path, an_audit(records=(counted("mlp", (1, 2, 2)),)))
    picture = tmp_path / "pictures" / "parameters.svg"
    assert f"![{'Declared and actual parameters by width'}](pictures/parameters.svg)" in (
        tmp_path / "deep-dive.md"
    ).read_text(encoding="utf-8")
    assert picture.exists()
    page(tmp_path, an_audit())
    assert not picture.exists()


def test_a_picture_compares_the_gradient_ratios_of_blueprints_on_a_logarithmic_scale() -> None:
    heads = ("dim", "parameters", "gradient_ratio")
    records = tuple(
        counted(name, probe="learns-at-birth", table=(heads, (8, 9, ratio), (16, 9, 2 * ratio)))
        for name, ratio in (("weak", 0.01), ("strong", 1.0), ("dead", 0.0))
    )
    (picture,) = (one for one in audit_pictures(an_audit(records=records)) if one.svg)
    svg = ET.fromstring(picture.svg)
    texts = [element.text for element in svg.iter() if element.text]
    assert [text for text in texts if "e" in text and text[0].isdigit()] == [
        "1.0e+00",
        "1.0e-02",
        "0.0e+00",
    ]
    lengths = [int(one.attrib["width"]) for one in svg.iter() if one.tag.endswith("rect")][1:]
    assert lengths[0] > lengths[1] > lengths[2] == 1
    assert abs(lengths[0] - 2 * lengths[1]) <= 2  # two of four decades
