"""Asks quotations whose answers are known: those of real tickets, written into a tree in six ways.

    python benchmarks/quote_truth.py SAMPLE [--each 20] [--seed 0]

SAMPLE is a folder of tickets in Markdown. The fences of Python in them that are complete statements are
written into the functions of a tree. Each then stands in a ticket of its own in one of six ways: exactly,
moved (other lines or another file), reformatted, shortened, with comments of a reviewer, or gone (the source
differs). The tickets are imported; `ticket verify` and `ticket lint` answer them; their answers are compared
with the known ones and with each other.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(?:python|py)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LEAST = 30  # characters of code, so that a quotation is specific
FAR = 400
LINT_OF = {"holds": None, "stale": "quote-moved", "refuted": "quote-not-found"}
COMMENTS = (
    "# <-- NEVER USED",
    "# BUG: this is wrong",
    "# TODO(reviewer): why?",
    "# cheap, but see below",
    "# Silently ignored!",
)
FORM = """# Finding Ticket: Case {name}

## Ticket Metadata

| Field | Value |
|-------|-------|
| **Ticket ID** | `{name}` |
| **Severity** | `P3` |
| **Status** | `open` |
| **Created** | 2025-03-02 |

## Location

| Field | Value |
|-------|-------|
| **File(s)** | `/home/ada/garden/{path}` |
| **Line(s)** | `{lines}` |
| **Function/Class** | `{symbol}` |

## Summary

**One-line summary:** Case {name}.

## Detailed Description

### What's Wrong

It reads like this.
{described}
{evidence}
"""


class Case(NamedTuple):
    """A quotation with the content of its file, and the known answers."""

    quoted: str
    written: str
    answer: str
    is_elsewhere: bool = False
    is_far: bool = False


def main() -> None:
    """Write the tree, ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sample", type=Path)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="write the tree here and keep it")
    options = parser.parse_args()
    codes = list(sample_codes(options.sample))
    draw = random.Random(options.seed)
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            root = (options.keep or Path(folder)) / kind
            cases = write_tree(root, kind, draw.sample(codes, len(codes)), options.each, draw)
            outcomes.append(asked(root, kind, cases))
    sys.exit(report(outcomes, len(codes)))


def sample_codes(sample: Path) -> Iterator[str]:
    """Yield the distinct fences that are complete statements without omissions."""
    seen = set()
    for file in sorted(sample.rglob("*.md")):
        for match in FENCE.finditer(file.read_text(encoding="utf-8")):
            code = without_comments(textwrap.dedent(match[1]).strip("\n"))
            if "..." in code or code in seen or len(code) < LEAST or not is_complete(code):
                continue
            seen.add(code)
            yield code


def without_comments(code: str) -> str:
    """Return code as a source has it, without the comments of the ticket's author."""
    lines = [re.sub(r"\s*#[^\"']*$", "", line) for line in code.splitlines()]
    kept = [
        new
        for new, old in zip(lines, code.splitlines(), strict=True)
        if new.strip() or not old.strip()
    ]
    return "\n".join(kept).strip("\n")


def is_complete(code: str) -> bool:
    """Return whether code parses as the body of a function."""
    try:
        return bool(ast.parse(code).body)
    except SyntaxError:
        return False


def exact(code: str, draw: random.Random) -> Case:
    """Return a quotation as it is written."""
    return Case(code, code, "holds")


def moved(code: str, draw: random.Random) -> Case:
    """Return a quotation whose lines or whose file are wrong."""
    if draw.random() < 0.5:
        return Case(code, code, "stale", is_elsewhere=True)
    return Case(code, code, "stale", is_far=True)


def reformatted(code: str, draw: random.Random) -> Case | None:
    """Return a quotation in another layout than the source."""
    wrapped = re.sub(r"\((?=[^()\n]*,[^()\n]*\))([^()\n]*)\)", wrap_arguments, code)
    unparsed = ast.unparse(ast.parse(code))
    quotes = code.replace('"', "'") if "'" not in code and '"""' not in code else code
    others = [one for one in (wrapped, unparsed, quotes) if one != code and is_complete(one)]
    if not others:
        return None
    other = draw.choice(others)
    return Case(*draw.sample([code, other], 2), "holds")


def wrap_arguments(match: re.Match[str]) -> str:
    """Return a call with an argument a line."""
    parts = [part.strip() for part in match[1].split(",") if part.strip()]
    return "(\n        " + ",\n        ".join(parts) + ",\n    )"


def shortened(code: str, draw: random.Random) -> Case | None:
    """Return a quotation with parts left out."""
    lines = code.split("\n")
    ways: list[Callable[[], Case | None]] = [
        lambda: without_docstring(code),
        lambda: without_arguments(code),
    ]
    if len(lines) > 3:
        ways = [lambda: without_middle(lines, draw), *ways]
    draw.shuffle(ways)
    return next((case for way in ways if (case := way())), None)


def without_middle(lines: Sequence[str], draw: random.Random) -> Case | None:
    """Return a quotation without one or more statements, which a line marks."""
    body = ast.parse("\n".join(lines)).body
    nested = [
        block
        for node in ast.walk(ast.Module(body, []))
        for block in (getattr(node, name, None) for name in ("body", "orelse"))
        if isinstance(block, list) and len(block) > 2
    ]
    if not nested:
        return None
    block = draw.choice(nested)
    first = draw.randrange(1, len(block) - 1)
    last = draw.randrange(first, len(block) - 1)
    start, end = block[first].lineno - 1, block[last].end_lineno or 0
    mark = draw.choice(["...", "# ...", "# ... later ...", "# ... more of the same ..."])
    indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
    quoted = "\n".join([*lines[:start], indent + mark, *lines[end:]])
    return Case(quoted, "\n".join(lines), "holds")


def without_docstring(code: str) -> Case | None:
    """Return a quotation without the docstring that the source has."""
    match = re.search(r'\n[ ]+"""(?:.|\n)*?"""(?=\n)', code)
    if match:
        return Case(code[: match.start()] + code[match.end() :], code, "holds")
    head = re.search(r"^(?P<indent>[ ]*)def [^\n]*:\n(?P<body>[ ]+)", code, re.MULTILINE)
    if not head:
        return None
    written = (
        code[: head.start("body")]
        + head["body"]
        + '"""Do it as told."""\n'
        + code[head.start("body") :]
    )
    return Case(code, written, "holds")


def without_arguments(code: str) -> Case | None:
    """Return a quotation in which `...` stands for the arguments of a call."""
    call = re.search(r"(?<=\w)\(([^()]{4,})\)", code)
    if not call or "def " in code[: call.start()].split("\n")[-1]:
        return None
    rest = code[: call.start()] + code[call.end() :]
    if len(re.sub(r"\W", "", rest)) < LEAST // 2:
        return None
    return Case(code[: call.start()] + "(...)" + code[call.end() :], code, "holds")


def commented(code: str, draw: random.Random) -> Case:
    """Return a quotation with comments of a reviewer."""
    lines = code.split("\n")
    safe = [
        n
        for n in range(len(lines))
        if is_complete("\n".join([*lines[:n], lines[n] + "  # x", *lines[n + 1 :]]))
    ]
    in_text = '"""' in code
    for number in draw.sample(safe, min(len(safe), 1 + draw.randrange(3))):
        if not in_text and lines[number].strip():
            lines[number] += "  " + draw.choice(COMMENTS)
    if draw.random() < 0.5 or lines == code.split("\n"):
        lines.insert(0, draw.choice(["# This is what runs:", "# from the hot loop", "# PROBLEM"]))
    return Case("\n".join(lines), code, "holds")


def gone(code: str, draw: random.Random) -> Case | None:
    """Return a quotation that the source does not contain any more."""
    names = sorted({node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)})
    ways = [
        re.sub(rf"\b{draw.choice(names)}\b", "renamed_value", code) if names else "pass",
        re.sub(r"\b(\d+)\b", lambda found: str(int(found[1]) + 1), code),
        code.replace(" + ", " - ").replace(" == ", " != ").replace("True", "False"),
        "pass",
    ]
    others = [way for way in ways if way != code and is_complete(way)]
    return Case(code, draw.choice(others), "refuted") if others else None


KINDS: dict[str, Callable[[str, random.Random], Case | None]] = {
    "exact": exact,
    "moved": moved,
    "reformatted": reformatted,
    "shortened": shortened,
    "commented": commented,
    "gone": gone,
}


def write_tree(
    root: Path, kind: str, codes: Sequence[str], each: int, draw: random.Random
) -> dict[str, Case]:
    """Write the sources and tickets of a kind, and return the case of each ticket by its id."""
    for folder in ("src", "old"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "esper-audit.toml").write_text("")
    made = (case for code in codes if (case := KINDS[kind](code, draw)))
    cases = {
        f"{kind[:2].upper()}-{n:02}": case
        for n, case in zip(range(1, each + 1), made, strict=False)
    }
    for name, case in cases.items():
        write_case(root, name, case, draw)
    return cases


def write_case(root: Path, name: str, case: Case, draw: random.Random) -> None:
    """Write the source and the ticket of a case."""
    stem = name.replace("-", "_").lower()
    above = "".join(filler(stem, n) for n in range(draw.randrange(1, 6)))
    start = above.count("\n") + 2
    body = textwrap.indent(case.written, "    ")
    end = start + body.count("\n")
    path = f"src/{stem}.py"
    host = f"src/{stem}_new.py" if case.is_elsewhere else path
    (root / host).write_text(f"{above}def host_{stem}():\n{body}\n\n\n{filler(stem, 99)}")
    if case.is_elsewhere:
        emptied = re.sub(r"(?m)^.*$", "    pass", body)
        (root / path).write_text(f"{above}def host_{stem}():\n{emptied}\n")
    first, last = (start + FAR, end + FAR) if case.is_far else (start, end)
    in_evidence = draw.random() < 0.5
    first_line = (
        f"# /home/ada/garden/{path}:{first}-{last}\n" if in_evidence else f"# Lines {first}-{last}"
    )
    fence = f"```python\n{first_line}\n{case.quoted}\n```\n"
    text = FORM.format(
        name=name,
        path=path,
        lines=f"{first}-{last}",
        symbol=f"host_{stem}",
        described="" if in_evidence else fence,
        evidence=f"### Code Evidence\n\n{fence}" if in_evidence else "",
    )
    (root / "old" / f"{name}.md").write_text(text)


def filler(stem: str, number: int) -> str:
    """Return a function that has nothing to do with any quotation."""
    return f"def work_{stem}_{number}(unit, speed):\n    total = unit * speed\n    return total + {number}\n\n\n"


class Outcome(NamedTuple):
    """How many of the tickets of a kind were answered right: quotations, locations, by both commands."""

    kind: str
    total: int
    quotations: int
    locations: int
    agreements: int


def asked(root: Path, kind: str, cases: dict[str, Case]) -> Outcome:
    """Import the tickets, ask them, and print what is wrong."""
    run(root, "ticket", "import", "old")
    verified = json.loads(run(root, "ticket", "verify", "--format", "json"))
    linted = json.loads(run(root, "ticket", "lint", "--format", "json"))
    lints = {p["ticket"]: p["lint"] for p in linted["problems"] if p["lint"].startswith("quote")}
    quotations, locations, agreements = 0, 0, 0
    for one in verified["tickets"]:
        name, case = one["id"], cases[one["id"]]
        answers = {claim["claim"]["kind"]: claim for claim in one["claims"]}
        got = answers["quote"]["answer"] if "quote" in answers else "not asked"
        place = answers["location"]["answer"]
        is_agreed = lints.get(name) == LINT_OF.get(got, "?")
        is_place_right = place == ("stale" if case.is_far else "holds")
        quotations, locations = quotations + (got == case.answer), locations + is_place_right
        agreements += is_agreed
        if got != case.answer or not is_place_right or not is_agreed:
            evidence = answers.get("quote", {}).get("evidence")
            print(f"{root}: {name}: {got}, expected {case.answer}: {evidence}")
            print(f"    location: {place}; lint: {lints.get(name)}")
    return Outcome(kind, len(cases), quotations, locations, agreements)


def report(outcomes: Sequence[Outcome], number: int) -> int:
    """Print the table, and return 0 if 98 % are right and the two commands agree on all."""
    print(f"{'KIND':12} {'QUOTES':>8} {'LOCATIONS':>10} {'AGREED':>8}   of {number} codes")
    for kind, total, *right in outcomes:
        print(f"{kind:12} {right[0]:>5}/{total} {right[1]:>7}/{total} {right[2]:>5}/{total}")
    total, quotations, locations, agreements = (
        sum(column) for column in list(zip(*outcomes, strict=True))[1:]
    )
    print(f"{'all':12} {quotations:>4}/{total} {locations:>6}/{total} {agreements:>4}/{total}")
    return int(min(quotations, locations) < 0.98 * total or agreements < total)


def run(root: Path, *arguments: str) -> str:
    """Return what a command of esper-audit prints."""
    command = [sys.executable, "-m", "esper_audit", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        sys.exit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
