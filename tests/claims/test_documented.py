"""The claim `documented`: docstrings and comments at a symbol contain a phrase."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import ValidationError
from support.claim_replies import claim, reply

from esper_audit.claims.reply import Reply

GATE = '''"""Gates."""

# Widths below eight
# starve the gate.
HIDDEN = 8


class Gate:
    """A gate.

    Credit assignment. A policy chooses
    the timeline, not the gate.
    """

    def forward(self, x):
        # NEVER reads later tokens
        return x

    def bare(self): return 1


DRIFT = 1
"""Measures drift, not impact."""
'''
FILES = {"pkg/__init__.py": "from .gates import Gate\n", "pkg/gates.py": GATE}


def reply_to(root: Path, at: str, says: str, files: dict[str, str] = FILES) -> Reply:
    return reply(root, files, kind="documented", at=at, says=says)


@pytest.mark.parametrize(
    ("at", "says", "line"),
    [
        ("pkg.gates.Gate", "Credit assignment", 11),
        ("pkg.gates.Gate", "a policy chooses the TIMELINE; not the gate", 11),
        ("pkg.gates.Gate", "policy ... not the gate", 11),
        ("pkg.gates.Gate.forward", "never reads later tokens", 16),
        ("pkg.gates.HIDDEN", "below eight starve", 3),
        ("pkg.gates.DRIFT", "drift, not impact", 23),
        ("pkg/gates.py:Gate", "credit assignment", 11),
        ("pkg/gates.py", "gates", 1),
        ("pkg.Gate", "credit assignment", 11),
        ("gates.Gate", "credit assignment", 11),
    ],
    ids=[
        "docstring", "case, punctuation, line break", "a gap", "comment inside", "comment above",
        "string behind an assignment", "by path", "a whole file", "through the package", "module alone",
    ],
)  # fmt: skip
def test_a_phrase_at_the_symbol_holds_with_its_line(tmp_path, at, says, line) -> None:
    result = reply_to(tmp_path, at, says)
    assert (result.answer, result.places) == ("holds", (f"pkg/gates.py:{line}",))


@pytest.mark.parametrize(
    "says",
    ["assignment credit", "credit assign", "not the gate ... policy"],
    ids=["another order", "a part of a word", "a gap the wrong way round"],
)
def test_a_phrase_that_the_symbol_does_not_contain_is_refuted(tmp_path, says) -> None:
    assert reply_to(tmp_path, "pkg.gates.Gate", says).answer == "refuted"


def test_where_nothing_is_documented_the_claim_is_refuted(tmp_path) -> None:
    result = reply_to(tmp_path, "pkg.gates.Gate.bare", "anything")
    assert (result.answer, "no docstring or comment" in result.evidence) == ("refuted", True)


def test_words_that_moved_to_another_symbol_are_stale(tmp_path) -> None:
    result = reply_to(tmp_path, "pkg.gates.HIDDEN", "credit assignment")
    assert (result.answer, result.places) == ("stale", ("pkg/gates.py:11",))


def test_a_symbol_that_is_gone_is_stale_and_its_namesake_is_named(tmp_path) -> None:
    result = reply_to(tmp_path, "pkg.gates.Blend", "credit")
    assert result.answer == "stale"
    moved = {**FILES, "pkg/other.py": "class Blend:\n    pass\n"}
    assert "pkg/other.py:1" in reply_to(tmp_path, "pkg.gates.Blend", "credit", moved).evidence
    assert "there is no module" in reply_to(tmp_path, "nowhere.Blend", "credit").evidence
    assert reply_to(tmp_path, "pkg/old.py:Blend", "credit").answer == "stale"


def test_a_file_that_does_not_parse_is_not_guessed_at(tmp_path) -> None:
    result = reply_to(tmp_path, "pkg.gates.Gate", "credit", {"pkg/gates.py": GATE + "def (\n"})
    assert (result.answer, "does not parse" in result.evidence) == ("cannot-tell", True)


def test_a_member_that_a_base_may_define_is_not_guessed_at(tmp_path) -> None:
    files = {"pkg/gates.py": "class Gate(Module):\n    pass\n"}
    assert reply_to(tmp_path, "pkg.gates.Gate.forward", "credit", files).answer == "cannot-tell"


def test_a_module_of_which_there_are_two_is_not_guessed_at(tmp_path) -> None:
    files = {"a/gates.py": GATE, "b/gates.py": GATE}
    result = reply_to(tmp_path, "gates.Gate", "credit", files)
    assert (result.answer, "a/gates.py or b/gates.py" in result.evidence) == ("cannot-tell", True)


def test_a_document_may_contain_the_phrase(tmp_path) -> None:
    files = {"docs/study.md": "# Study\n\nSmall seeds\nare *favoured*.\n"}
    result = reply_to(tmp_path, "docs/study.md", "small seeds are favoured", files)
    assert (result.answer, result.places) == ("holds", ("docs/study.md:3",))


def test_a_phrase_without_words_is_refused() -> None:
    with pytest.raises(ValidationError, match="`says` holds no word"):
        claim(kind="documented", at="a.b", says=" ... ")
