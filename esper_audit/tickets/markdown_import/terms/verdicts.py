"""Recognising the verdicts and the names of reviewers."""

from __future__ import annotations

import re

import msgspec

from esper_audit.tickets.markdown_import.document.inline_values import (
    DATE,
    name_set,
    one_line,
    without_markup,
    words,
)
from esper_audit.tickets.parts import Opinion

FORM_VERDICTS = (
    "endorse|endorsed|endorses|neutral|object|objects|objected|objection|refine|refined|refines"
)
SYNONYMS = {
    Opinion.ENDORSE: "endorse|endorsed|endorses|endorsement|agree|agreed|agrees|concur|concurs|approve|approved|"
    "approves|accept|accepted|confirm|confirmed|confirms|support|supported|valid|lgtm|strong endorse|"
    "strongly endorse",
    Opinion.NEUTRAL: "neutral|abstain|abstained|abstains|no opinion|defer|deferred|acknowledge|acknowledged|"
    "noted|n/a|undecided|indifferent|no objection",
    Opinion.OBJECT: "object|objects|objected|objection|disagree|disagrees|disagreed|reject|rejected|rejects|"
    "oppose|opposed|opposes|dissent|invalid|not a bug|not-a-bug|false positive|decline|declined|"
    "not valid|close|won't fix|wontfix|wont-fix",
    Opinion.REFINE: "refine|refined|refines|revise|revised|modify|modified|amend|amended|adjust|adjusted|partial|"
    "partially|partially agree|partial endorse|partially endorse|conditional|qualified|downgrade|downgraded|"
    "upgrade|upgraded|needs work|needs revision|changes requested|request changes|endorse with changes|"
    "agree with changes|mixed|endorse with modifications",
}
MARKS = r"[\s*_`\"'\[(~✅❌⚠️✓✔✗✘🟢🔴🟡⚪🔵👍👎➖-]*"
BY_PHRASE = {
    phrase: verdict for verdict, all_of in SYNONYMS.items() for phrase in all_of.split("|")
}
ANY = re.compile(
    rf"{MARKS}(?P<word>{'|'.join(map(re.escape, sorted(BY_PHRASE, key=len, reverse=True)))})(?![\w'])",
    re.IGNORECASE,
)
STRICT = re.compile(rf"{MARKS}(?P<word>{FORM_VERDICTS})(?![\w'])", re.IGNORECASE)
ADDED = re.compile(r"[*_`\"'\])~]*(?:\s*\([^)\n]*\))?[*_`]*")
AFTER = re.compile(r"[\s*_`]*(?:[-–—:.;,]+|\s)\s*")
# The words of any review in a heading; `Code Review` at its end is the name of a reviewer.
OF_A_REVIEW = re.compile(
    r"\b(?:cross|peer)[\s-]*reviews?\b|^\s*(?:\d+[.)]\s*)?reviews?\b|(?<!\bcode)\s+reviews?\s*$",
    re.IGNORECASE,
)
ROLE_WORDS = name_set(
    "drl, rl, pytorch, torch, code, review, reviewer, codereview, specialist, expert, "
    "agent, engineer, architect, lead, maintainer, author, ml, systems, security, "
    "performance, qa, tester, analyst, owner, developer, team, reviewed, by, scientist, "
    "researcher, advisor, cr, pt"
)
IGNORED_WORDS = name_set(
    "cross, review, reviews, reviewer, specialist, expert, agent, evaluation, the, s, by, "
    "verdict, notes, comments, comment"
)
DASHES = " \t:-–—|,;"
MAX_ROLE_WORDS = 6
# A heading of these words names no reviewer.
GENERAL_WORDS = name_set("results, summary, notes, verdicts, comments, feedback, section, s, round")


class StatedOpinion(msgspec.Struct, frozen=True):
    """A verdict, the words for it, and the text after them."""

    verdict: Opinion
    text: str
    rest: str


def verdict_in(text: str, *, strict: bool = False) -> StatedOpinion | None:
    """Return the verdict at the beginning of a text, None without one.

    `strict` accepts the form's four words only.
    """
    match = (STRICT if strict else ANY).match(text)
    if match is None:
        return None
    added = ADDED.match(text, match.end())
    end = added.end() if added else match.end()
    after = AFTER.match(text, end)
    rest = text[after.end() :] if after else text[end:]
    phrase = match["word"].lower()
    verdict = BY_PHRASE[phrase]
    return StatedOpinion(verdict, without_markup(text[:end].strip(DASHES)), rest.strip())


def whole_verdict(cell: str) -> StatedOpinion | None:
    """Return the verdict of a cell with all words of the cell, None without a verdict."""
    stated = verdict_in(cell)
    if stated is None:
        return None
    return StatedOpinion(stated.verdict, one_line(without_markup(cell)), "")


def verdict_words(text: str, verdict: Opinion) -> str:
    """Return the words for a verdict, empty if they are its value."""
    plain = without_markup(text)
    return "" if plain.lower() == verdict.value else plain


def reviewer_in(title: str) -> tuple[str, str]:
    """Return the reviewer and the date in the heading of a review, empty without them."""
    dated = DATE.search(title)
    undated = re.sub(r"\(\s*\)|\[\s*\]", " ", DATE.sub(" ", title))
    rest = re.sub(r"\(\s*\)|\[\s*\]", " ", OF_A_REVIEW.sub(" ", undated)).strip()
    rest = re.sub(r"^(?:by|from|of)\b", " ", " ".join(rest.split()))
    name = rest.strip().strip(DASHES).strip()
    if name[:1] + name[-1:] in ("()", "[]"):
        name = name[1:-1].strip()
    name = without_markup(name)
    plain = words(name).split()
    return ("" if not plain or set(plain) <= GENERAL_WORDS else name, dated[1] if dated else "")


def is_reviewer(label: str) -> bool:
    """Return whether a label is a short text with a word for a role."""
    label_words = words(label).split()
    return 0 < len(label_words) <= MAX_ROLE_WORDS and not ROLE_WORDS.isdisjoint(label_words)


def shared_words(label: str, reviewer: str) -> int:
    """Return how many words of a name two texts share."""
    return len(_name_words(label) & _name_words(reviewer))


def _name_words(text: str) -> set[str]:
    return set(words(text).replace("codereview", "code").split()) - IGNORED_WORDS
