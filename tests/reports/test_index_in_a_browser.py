"""`index.html` in a real headless Chromium: what it shows, by mouse and by keyboard, light and dark, at 5,000 rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.headless_browser import CHROMIUM, DARK, LIGHT, MISSING, run_in_browser
from support.sample_findings import a_finding

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import EvidenceLevel, ProbeEvidence, Severity
from esper_audit.reports.pages import Reports
from esper_audit.rules.catalogue import CheckCatalogue

# Slow: each test starts a browser.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=MISSING)]
HOSTILE = "</script><img src=x onerror=\"document.title='taken'\"><b>bold</b>"
EVIDENCE = ProbeEvidence(
    "causality[host]", "fail", "x", "reads ahead", (("row", "gap"), ("<i>", 0.5)), "import torch"
)


def browse(folder: Path, number: int, script: str, *, theme: str = LIGHT) -> dict[str, Any]:
    """Return what a script reports of a page with a number of findings, one of them hostile."""
    findings = [
        msgspec.structs.replace(
            a_finding(path=f"lib/m{n % 7}.py", line=n + 1, fingerprint=f"{n:016x}"),
            severity=Severity.P2 if n % 10 == 0 else Severity.P3,
            message=f"finding number {n}.",
        )
        for n in range(number - 1)
    ]
    hostile = msgspec.structs.replace(
        a_finding(path="zz.py", fingerprint="f" * 16),
        severity=Severity.P1,
        message=HOSTILE,
        excerpt=HOSTILE,
        standing=EvidenceLevel.CONFIRMED,
        probed=(EVIDENCE,),
    )
    audit = Audit(
        root="",
        findings=[*findings, hostile],
        suppressed=[],
        not_analysed=[],
        files=8,
        checks=[],
        off=[],
    )
    reports = folder / "reports"
    Reports(str(reports)).write(audit, {}, CheckCatalogue([], "", []), [])
    return run_in_browser(reports / "index.html", script, folder / "profile", theme=theme)


def test_a_hostile_message_is_shown_as_text(tmp_path: Path) -> None:
    script = """
    reported.title = document.title;
    reported.images = document.images.length;
    reported.message = rows()[0].cells[3].textContent;
    key("j"); key("Enter");
    reported.details = document.querySelector("tr.details").textContent;
    reported.bold = document.querySelectorAll("#panel b, #panel i").length;
    """
    found = browse(tmp_path, 20, script)
    assert found["title"] == "Audit"
    assert found["images"] == found["bold"] == 0
    assert found["message"] == HOSTILE
    assert all(part in found["details"] for part in (HOSTILE, "reads ahead", "<i>", "import torch"))


def test_everything_can_be_done_by_keyboard(tmp_path: Path) -> None:
    script = """
    reported.order = rows().map((row) => row.cells[0].textContent).join("").slice(0, 8);
    key("ArrowDown"); key("j"); key("k"); key("ArrowDown");
    reported.focused = rows().indexOf(document.activeElement);
    key(" ");
    reported.opened = document.activeElement.getAttribute("aria-expanded");
    key("j");
    reported.beyond = rows().indexOf(document.activeElement);
    key("k"); key("Enter");
    reported.closed = document.querySelectorAll("tr.details").length;
    key("/");
    reported.search = document.activeElement.id;
    type("NUMBER 13.");
    reported.matching = rows().length;
    reported.total = document.getElementById("total").textContent;
    key("Escape");
    reported.cleared = rows().length;
    key("2");
    reported.part = document.querySelector('[aria-selected="true"]').dataset.part;
    document.querySelector('[aria-selected="true"]').focus();
    key("ArrowLeft");
    reported.back = document.activeElement.dataset.part;
    reported.hash = location.hash;
    """
    found = browse(tmp_path, 20, script)
    assert found["order"] == "P1P2P2P3"
    assert (found["focused"], found["beyond"]) == (1, 2)
    assert (found["opened"], found["closed"]) == ("true", 0)
    assert found["search"] == "search"
    assert (found["matching"], found["total"]) == (1, "1 of 20")
    assert found["cleared"] == 20
    assert (found["part"], found["back"]) == ("Contracts", "Findings")
    assert found["hash"] == "#part=Findings"


def test_columns_sort_both_ways_and_filters_narrow(tmp_path: Path) -> None:
    script = """
    const head = (name) => document.querySelector(`th[data-key="${name}"] button`);
    head("path").click();
    reported.first = rows()[0].cells[2].textContent;
    head("path").click();
    reported.last = rows()[0].cells[2].textContent;
    reported.sorted = document.querySelector('th[data-key="path"]').getAttribute("aria-sort");
    const filter = document.querySelector('select[data-filter="severity"]');
    reported.any = filter.selectedOptions[0].textContent;
    filter.value = "P2";
    filter.dispatchEvent(new Event("change"));
    reported.narrowed = rows().length;
    reported.hash = location.hash;
    """
    found = browse(tmp_path, 20, script)
    assert (found["first"], found["last"]) == ("lib/m0.py:1", "zz.py:3")
    assert found["sorted"] == "descending"
    assert found["any"] == "any severity"
    assert found["narrowed"] == 2
    assert "severity=P2" in found["hash"]


@pytest.mark.parametrize(
    ("theme", "name", "other"), [(LIGHT, "light", "dark"), (DARK, "dark", "light")]
)
def test_the_page_follows_the_scheme_of_the_system_until_it_is_changed(
    tmp_path: Path, theme: str, name: str, other: str
) -> None:
    script = """
    const seen = () => [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor];
    reported.before = seen();
    key("t");
    reported.after = seen();
    """
    found = browse(tmp_path, 2, script, theme=theme)
    assert (found["before"][0], found["after"][0]) == (name, other)
    assert found["before"][1] != found["after"][1]


def test_five_thousand_rows_are_drawn_in_parts_and_searched_as_a_whole(tmp_path: Path) -> None:
    script = """
    reported.drawn = rows().length;
    reported.total = document.getElementById("total").textContent;
    const start = performance.now();
    for (const word of ["n", "nu", "num", "number 4", "number 4321."]) type(word);
    reported.milliseconds = performance.now() - start;
    reported.matching = rows().map((row) => row.cells[3].textContent);
    type("");
    key("Escape");
    for (let step = 0; step < 250; step += 1) key("j");
    reported.reached = rows().indexOf(document.activeElement);
    reported.grown = rows().length;
    """
    found = browse(tmp_path, 5_000, script)
    assert found["total"] == "5,000"
    assert found["drawn"] <= 1_000
    assert found["matching"] == ["finding number 4321."]
    assert found["milliseconds"] < 3_000  # about 100 on an idle machine
    assert found["reached"] == 249
    assert found["grown"] < 5_000
