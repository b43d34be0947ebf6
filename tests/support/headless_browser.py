"""A headless Chromium that runs a page with a script of the test in it, and returns what the script reports."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "chromium is not installed: apt-get install -y chromium"
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DARK, LIGHT = "0", "1"
SECONDS = 120
REPORT = re.compile(r'<pre id="reported">(.*?)</pre>', re.DOTALL)
# `reported` is filled when the script is done, so that a script that raises reports nothing.
HARNESS = """
<script>
const key = (name) => (document.activeElement || document.body).dispatchEvent(
  new KeyboardEvent("keydown", {{ key: name, bubbles: true, cancelable: true }}));
const rows = () => [...document.querySelectorAll("tr.row")];
const type = (shown) => {{
  const search = document.getElementById("search");
  search.value = shown;
  search.dispatchEvent(new Event("input"));
}};
const reported = {{}};
{script}
const made = document.createElement("pre");
made.id = "reported";
made.textContent = JSON.stringify(reported);
document.body.append(made);
</script>
"""


def run_in_browser(page: Path, script: str, profile: Path, *, theme: str = LIGHT) -> dict[str, Any]:
    """Return what a script that runs behind those of a page puts into `reported`."""
    assert CHROMIUM is not None, MISSING
    tested = page.with_name("tested.html")
    source = page.read_text(encoding="utf-8")
    tested.write_text(source.replace("</body>", HARNESS.format(script=script) + "</body>"), "utf-8")
    arguments = [f"--user-data-dir={profile}", f"--blink-settings=preferredColorScheme={theme}"]
    done = subprocess.run(
        [CHROMIUM, *OPTIONS, *arguments, "--dump-dom", tested.as_uri()],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    found = REPORT.search(done.stdout)
    assert found is not None, f"the script of the test raised: {done.stderr[-2000:]}"
    reported: dict[str, Any] = json.loads(html.unescape(found[1]))
    return reported
