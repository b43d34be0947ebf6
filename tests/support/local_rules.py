"""Small rules of a project's own, as source text."""

from __future__ import annotations

import json
import re
from pathlib import Path

CONFIGURATION = '[tool.esper-audit]\nprofile = "strict"\nlocal-rules = ["{file}"]\n'
TEMPLATE = '''"""The rule `{id}`."""

from __future__ import annotations

import os
import signal

import ast
from esper_audit import Category, CstRule, Invalid, Options, Reach, Replacement, Rule, Severity, Triggers
from esper_audit import Valid, Violation


class OfATest({base}):
    """Something is called {call}.

    What: calls of {call}.

    Why: a test needs a rule that does as it is told.

    Quiet: everything else.

    Tickets: real code
    """

    contract = "no-hasattr"
    category = Category.API_CONTRACT
    severity = Severity.P2
    reach = Reach.STATEMENT
    triggers = Triggers(calls=frozenset({{"{call}"}}))
{members}
    VALID = (Valid("another call", "new(1)\\n"),)
    INVALID = (Invalid("the call", "{call}(1)\\n", ((1, {message}),)),)

    def check(self, node, file):
{body}
'''
REPORTED = re.compile(r"Violation\(node, (['\"])([^{}]*?)\1")  # a message in plain words
SPEAKS = 'yield Violation(node, "{call} is called")'
RAISES = 'raise ValueError("cannot think")\nyield'
KILLS = "os.kill(os.getpid(), signal.SIGKILL)\nyield"


def rule_source(
    check_id: str,
    body: str = SPEAKS,
    *,
    call: str = "old",
    members: str = "",
    base: str = "Rule",
    message: str = "",
) -> str:
    """Return the source of a rule of class `base`, whose case expects what its `check` reports."""
    reported = REPORTED.search(body)
    return TEMPLATE.format(
        id=check_id,
        call=call,
        base=base,
        message=json.dumps(message or (reported[2] if reported else f"{call} is called")),
        members=_indented(members, 4),
        body=_indented(body.format(call=call) if body == SPEAKS else body, 8),
    )


def with_rule(
    root: Path,
    check_id: str,
    body: str = SPEAKS,
    *,
    call: str = "old",
    members: str = "",
    base: str = "Rule",
    message: str = "",
) -> Path:
    """Write a rule into `root` and a configuration that names it; return `root`."""
    file = f"house/{check_id.replace('-', '_')}.py"
    (root / "house").mkdir(exist_ok=True)
    source = rule_source(check_id, body, call=call, members=members, base=base, message=message)
    (root / file).write_text(source)
    (root / "pyproject.toml").write_text(CONFIGURATION.format(file=file))
    (root / ".gitignore").write_text("house/\n")
    return root


def _indented(text: str, width: int) -> str:
    return "\n".join(" " * width + line if line else "" for line in text.split("\n"))
