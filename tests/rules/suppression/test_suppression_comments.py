"""Comments that authorise: what each form silences, to the line, and what is said of those that are wrong or idle."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import HASATTR, audit, write
from support.local_rules import RAISES, with_rule

ASKS = 'hasattr(host, "segments")'
ALLOW = f"# esper-audit: allow {HASATTR} -- hosts of three kinds"
IN_WORDS = "# old AUTHORIZED by Ada on 2026-01-02"
WORDS = 'authorised_words = frozenset({"old"})\n'
REASON = "# Justification: a plugin of somebody else's"


def said(root: Path, code: str, **options: object) -> list[tuple[int, str]]:
    """Return (line, check) of what stands after the comments of a file are applied."""
    write(root, {"a.py": code})
    return [(f.location.line, f.check) for f in audit(root, **options).findings]  # type: ignore[arg-type]  # as given


def message(root: Path, code: str, **options: object) -> str:
    """Return the one sentence that is said of a comment."""
    write(root, {"a.py": code})
    findings = audit(root, **options).findings  # type: ignore[arg-type]  # as given
    about = [f.message for f in findings if f.check != HASATTR]
    assert len(about) == 1
    return about[0]


QUIET = {
    "trailing": f"{ASKS}  {ALLOW}\n",
    "trailing on the last line of the finding": f'hasattr(\n    host,\n    "segments",\n)  {ALLOW}\n',
    "above a statement": f"{ALLOW}\n{ASKS}\n",
    "above a blank line": f"{ALLOW}\n\n{ASKS}\n",
    "above another comment": f"{ALLOW}\n# because\n{ASKS}\n",
    "above a statement of several lines": f"{ALLOW}\nx = (\n    1,\n    {ASKS},\n)\n",
    "above an if": f"{ALLOW}\nif (\n    {ASKS}\n):\n    pass\n",
    "above an elif": f"if host:\n    pass\n{ALLOW}\nelif {ASKS}:\n    pass\n",
    "above a with": f"{ALLOW}\nwith a({ASKS}):\n    pass\n",
    "above a def, for its decorator": f"{ALLOW}\n@register(\n    {ASKS}\n)\ndef f():\n    pass\n",
    "above a def, for a default": f"{ALLOW}\ndef f(\n    a={ASKS},\n):\n    pass\n",
    "above an except": f"try:\n    pass\n{ALLOW}\nexcept kinds({ASKS}):\n    pass\n",
    "inside a statement": f"x = (\n    {ALLOW}\n    {ASKS},\n)\n",
    "for the file": f"x = 1\n{ASKS}\ny = {ASKS}\n{ALLOW.replace('allow', 'allow-file', 1)}\n",
    "of several checks": f"{ASKS}  {ALLOW.replace(' --', ', argument-fallback --')}\n",
    "with a name": f"{ASKS}  {ALLOW.replace(' --', ' by Ada Lovelace --')}\n",
    "by a name with a hyphen": f"{ASKS}  {ALLOW.replace(' --', ' by Jean-Luc --')}\n",
    "until a day that has not passed": f"{ASKS}  {ALLOW.replace(' --', ' until 2026-06-15 --')}\n",
    "by a name until a day": f"{ASKS}  {ALLOW.replace(' --', ' by Ada until 2026-07-01 --')}\n",
    "in CRLF": f"x = 1\r\n{ASKS}  {ALLOW}\r\n",
}


@pytest.mark.parametrize("code", QUIET.values(), ids=QUIET)
def test_a_comment_silences_its_place(tmp_path: Path, code: str) -> None:
    write(tmp_path, {"a.py": code.encode()})
    result = audit(tmp_path, select=[HASATTR, "invalid-suppression", "expired-suppression"])
    assert [f.message for f in result.findings] == []
    assert {s.finding.check for s in result.suppressed} == {HASATTR}
    assert result.exit_status == 0


LOUD = {
    "another statement below": (f"{ALLOW}\nx = 1\n{ASKS}\n", [3]),
    "the statement above": (f"{ASKS}\n{ALLOW}\nx = 1\n", [1]),
    "the body of an if": (f"{ALLOW}\nif host:\n    {ASKS}\n", [3]),
    "the body of a def": (f"{ALLOW}\ndef f(host):\n    {ASKS}\n", [3]),
    "the body of a with": (f"{ALLOW}\nwith host:\n    {ASKS}\n", [3]),
    "the second line of a statement": (f"print(  {ALLOW}\n    {ASKS}\n)\n", [2]),
    "the line below a trailing one": (f"x = 1  {ALLOW}\n{ASKS}\n", [2]),
    "text in a string": (f'x = """\n{ALLOW}\n"""\n{ASKS}\n', [4]),
    "text in a string on the line": (f'{ASKS}, "{ALLOW}"\n', [1]),
    "prose that quotes it": (f"{ASKS}  # write {ALLOW}\n", [1]),
    "another check": (f"{ASKS}  {ALLOW.replace(HASATTR, 'argument-fallback')}\n", [1]),
}


@pytest.mark.parametrize(("code", "lines"), LOUD.values(), ids=LOUD)
def test_a_comment_does_not_silence_what_it_does_not_speak_of(
    tmp_path: Path, code: str, lines: list[int]
) -> None:
    assert said(tmp_path, code, select=[HASATTR]) == [(line, HASATTR) for line in lines]


def test_an_authorisation_keeps_who_why_and_until_when(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": f"{ASKS}  {ALLOW.replace(' --', ' by Ada until 2026-07-01 --')}\n"})
    (suppressed,) = audit(tmp_path).suppressed
    kept = suppressed.suppression
    assert (kept.origin, kept.owner, kept.until) == ("inline", "Ada", "2026-07-01")
    assert kept.reason == "hosts of three kinds"


@pytest.fixture
def with_words(tmp_path: Path) -> Path:
    """Give the project a rule on calls of `old` that comments of its own authorise."""
    return with_rule(tmp_path, "old-call", members=WORDS)


@pytest.mark.parametrize(
    "code",
    [
        f"{IN_WORDS}\n{REASON}\nold(1)\n",
        f"def f():\n    {IN_WORDS}\n    {REASON}\n    old(1)\n",
        f"{IN_WORDS} in review\n{REASON}\n@decorator\ndef f(a=old(1)):\n    pass\n",
    ],
)
def test_the_projects_own_words_keep_who_and_why(with_words: Path, code: str) -> None:
    assert said(with_words, code) == []
    (suppressed,) = audit(with_words).suppressed
    kept = suppressed.suppression
    assert (kept.origin, kept.owner) == ("authorisation", "Ada")
    assert kept.reason == "a plugin of somebody else's"


def test_the_projects_own_words_silence_one_place_and_no_other(with_words: Path) -> None:
    code = f"old(1)\n{IN_WORDS}\n{REASON}\nold(1)\nold(1)\n"
    assert said(with_words, code) == [(1, "old-call"), (5, "old-call")]


def test_the_projects_own_words_without_a_reason_silence_nothing(with_words: Path) -> None:
    code = f"{IN_WORDS}\nold(1)\n"
    assert said(with_words, code) == [(1, "invalid-suppression"), (2, "old-call")]
    end = "gives no reason; add a `# Justification: ...` line below"
    assert audit(with_words).findings[0].message.endswith(end)


def test_a_justification_further_down_is_that_of_something_else(with_words: Path) -> None:
    code = f"{IN_WORDS}\n\n{REASON}\nold(1)\n"
    assert (1, "invalid-suppression") in said(with_words, code)


def test_the_projects_own_words_at_a_place_that_was_repaired_are_idle(with_words: Path) -> None:
    code = f"{IN_WORDS}\n{REASON}\nnew(1)\n"
    assert said(with_words, code) == [(1, "unused-suppression")]


SPELLINGS = {
    "without on": "# old AUTHORIZED by Ada 2026-01-02",
    "with a colon behind the word": "# old AUTHORIZED by: Ada on 2026-01-02",
    "in the British spelling": "# old AUTHORISED by Ada on 2026-01-02",
    "in small letters": "# old authorized by Ada on 2026-01-02",
    "without a blank at its start": "#old AUTHORIZED by Ada on 2026-01-02",
    "of a call": "# old() AUTHORIZED by Ada on 2026-01-02",
    "with two blanks": "# old  AUTHORIZED  by Ada  on 2026-01-02",
    "with a comma and brackets": "# old AUTHORIZED by Ada, (2026-01-02)",
}


@pytest.mark.parametrize("comment", SPELLINGS.values(), ids=SPELLINGS)
def test_near_spellings_of_the_projects_own_words_are_accepted(
    with_words: Path, comment: str
) -> None:
    assert said(with_words, f"{comment}\n{REASON}\nold(1)\n") == []
    (suppressed,) = audit(with_words).suppressed
    assert suppressed.suppression.owner == "Ada"


MALFORMED = {
    "no date": "# old AUTHORIZED by Ada",
    "a date of another form": "# old AUTHORIZED by Ada on 2 January 2026",
    "no name": "# old AUTHORIZED by 2026-01-02",
    "no name but on": "# old AUTHORIZED by on 2026-01-02",
    "no such day": "# old AUTHORIZED by Ada on 2026-13-02",
    "a misspelt word": "# olds AUTHORIZED by Ada on 2026-01-02",
    "a word in capitals": "# OLD AUTHORIZED by Ada on 2026-01-02",
    "a word before it": "# call of old AUTHORIZED by Ada on 2026-01-02",
}


@pytest.mark.parametrize("comment", MALFORMED.values(), ids=MALFORMED)
def test_the_projects_own_words_in_another_form_are_reported(
    with_words: Path, comment: str
) -> None:
    code = f"{comment}\n{REASON}\nold(1)\n"
    assert said(with_words, code) == [(1, "invalid-suppression"), (3, "old-call")]
    first = audit(with_words).findings[0].message
    assert "write `# old AUTHORIZED by NAME on YYYY-MM-DD`" in first


def test_the_projects_own_words_about_something_else_are_prose(with_words: Path) -> None:
    other = f"{IN_WORDS.replace('old', 'budget')}\n{IN_WORDS.replace('old', 'ord')}\nx = 1\n"
    prose = "# Not AUTHORIZED by anybody\n# requests authorized by the gateway\n"
    assert said(with_words, f"{other}{prose}") == []


def test_no_reason_is_no_authorisation(tmp_path: Path) -> None:
    code = f"{ASKS}  # esper-audit: allow {HASATTR}\n"
    assert said(tmp_path, code) == [(1, HASATTR), (1, "invalid-suppression")]
    assert message(tmp_path, code) == "this authorisation gives no reason; add ` -- REASON`"


@pytest.mark.parametrize(
    "comment",
    [
        "# esper-audit: alow unauthorised-hasattr -- x",
        "# esper-audit: allow",
        "#esper-audit: allow unauthorised-hasattr -- x",
        "# esper-audit: allow unauthorised-hasattr until tomorrow -- x",
        "# esper-audit: allow unauthorised-hasattr by Ada until tomorrow -- x",
        "# esper-audit: allow unauthorised-hasattr - x",
    ],
)
def test_a_comment_that_does_not_follow_the_grammar_is_told_the_grammar(
    tmp_path: Path, comment: str
) -> None:
    code = f"{ASKS}  {comment}\n"
    assert said(tmp_path, code) == [(1, HASATTR), (1, "invalid-suppression")]
    assert "is not understood; write `# esper-audit: allow CHECK" in message(tmp_path, code)


def test_an_unknown_check_is_told_the_nearest(tmp_path: Path) -> None:
    code = f"{ASKS}  {ALLOW.replace('unauthorised', 'unauthorized')}\n"
    assert said(tmp_path, code) == [(1, HASATTR), (1, "invalid-suppression")]
    assert message(tmp_path, code).endswith("did you mean 'unauthorised-hasattr'?")


def test_an_authorisation_runs_out_the_day_after(tmp_path: Path) -> None:
    code = f"{ASKS}  {ALLOW.replace(' --', ' until 2026-06-15 --')}\n"
    assert said(tmp_path, code, today="2026-06-15") == []
    assert said(tmp_path, code, today="2026-06-16") == [(1, HASATTR), (1, "expired-suppression")]
    assert "expired on 2026-06-15: hosts" in message(tmp_path, code, today="2026-06-16")


def test_an_idle_authorisation_is_found(tmp_path: Path) -> None:
    code = f"x = 1  {ALLOW}\n"
    assert said(tmp_path, code) == [(1, "unused-suppression")]
    assert message(tmp_path, code).endswith(f"authorises nothing: no `{HASATTR}` here")


MISPLACED = {
    "a statement between": f"{ALLOW}\nx = 1\n{ASKS}\n",
    "above the block around it": f"{ALLOW}\nif host:\n    {ASKS}\n",
    "at the end of the line above": f"x = 1  {ALLOW}\n\n# text\n{ASKS}\n",
    "above a statement of several lines": f"{ALLOW}\nx = (\n    1,\n)\ny = (\n    1,\n    {ASKS},\n)\n",
}


@pytest.mark.parametrize("code", MISPLACED.values(), ids=MISPLACED)
def test_an_authorisation_one_statement_above_its_place_is_one_finding(
    tmp_path: Path, code: str
) -> None:
    write(tmp_path, {"a.py": code})
    (finding,) = audit(tmp_path).findings
    assert finding.check == HASATTR
    line = code.count("\n", 0, code.index(ASKS)) + 1
    assert finding.location.line == line
    assert "the authorisation on line 1 covers only " in finding.message
    write(tmp_path, {"a.py": code.replace(ALLOW, "#")})
    (without,) = audit(tmp_path).findings
    assert finding.fingerprint == without.fingerprint


def test_an_authorisation_two_statements_above_is_idle(tmp_path: Path) -> None:
    code = f"{ALLOW}\nx = 1\ny = 2\n{ASKS}\n"
    assert said(tmp_path, code) == [(1, "unused-suppression"), (4, HASATTR)]


def test_an_authorisation_in_use_is_not_misplaced(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": f"{ALLOW}\n{ASKS}\nx = {ASKS}\n"})
    (finding,) = audit(tmp_path).findings
    assert "authorisation" not in finding.message


def test_of_several_checks_the_idle_one_is_named(tmp_path: Path) -> None:
    code = f"{ASKS}  {ALLOW.replace(' --', ', silent-except --')}\n"
    assert message(tmp_path, code).endswith("no `silent-except` here")


def test_an_authorisation_of_a_check_that_did_not_run_is_not_idle(tmp_path: Path) -> None:
    code = f"x = 1  {ALLOW}\n"
    assert said(tmp_path, code, select=["silent-except", "unused-suppression"]) == []


def test_without_the_check_for_idle_ones_nothing_is_said_of_them(tmp_path: Path) -> None:
    assert said(tmp_path, f"x = 1  {ALLOW}\n", select=[HASATTR]) == []


def test_an_authorisation_of_a_rule_that_raised_is_not_idle(tmp_path: Path) -> None:
    with_rule(tmp_path, "fails", RAISES)
    code = "old(1)  # esper-audit: allow fails -- it does not matter\n"
    assert said(tmp_path, code) == []


def test_authorisations_in_a_file_not_wholly_read_are_not_idle(tmp_path: Path) -> None:
    code = f"x = 1  {ALLOW}\ny = old(1){' and a' * 900}\n"
    write(with_rule(tmp_path, "no-old", base="CstRule"), {"a.py": code})
    result = audit(tmp_path)
    assert [f.check for f in result.findings] == []
    assert [problem.reason.split(",")[0] for problem in result.not_analysed] == [
        "nested more than 800 deep"
    ]
    assert result.exit_status == 3


def test_two_wrong_comments_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x = 1  # esper-audit: alow a -- b\n"})
    (before,) = audit(tmp_path).findings
    write(tmp_path, {"a.py": "x = 1  # esper-audit: allwo c -- d\n"})
    (after,) = audit(tmp_path).findings
    assert before.fingerprint != after.fingerprint
