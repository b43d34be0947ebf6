"""The claim `quote`: word for word, moved, laid out anew, gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import ValidationError
from support.claim_questions import claim, reply

BLEND = '''"""Blending."""


def blend(host, seed, alpha):
    # how far the seed is let in
    mixed = torch.lerp(host, seed, alpha)
    return mixed
'''
QUOTED = "mixed = torch.lerp(host, seed, alpha)\nreturn mixed"


def ask(tmp_path: Path, code: str, lines: str | None = None, text: str = BLEND):
    return reply(
        tmp_path, {"blend.py": text}, kind="quote", path="blend.py", code=code, lines=lines
    )


@pytest.mark.parametrize("lines", [None, "6-7", "7", "5-20"])
def test_code_on_the_lines_cited_or_without_lines_anywhere_holds(tmp_path, lines) -> None:
    told = ask(tmp_path, QUOTED, lines)
    assert (told.answer, told.places) == ("holds", ("blend.py:6-7",))


def test_a_quotation_with_a_stretch_left_out_holds(tmp_path) -> None:
    told = ask(tmp_path, "def blend(host, seed, alpha):\n    ...\n    return mixed\n")
    assert (told.answer, told.places) == ("holds", ("blend.py:4-7",))


def test_a_line_whose_arguments_are_left_out_stands_for_any(tmp_path) -> None:
    told = ask(tmp_path, "def blend(host, ...):\n    ...\n    return mixed\n")
    assert (told.answer, told.places) == ("holds", ("blend.py:7",))


def test_the_stretches_of_a_quotation_stand_in_their_order(tmp_path) -> None:
    told = ask(tmp_path, "    return mixed\n    ...\ndef blend(host, seed, alpha):\n")
    assert told.answer == "refuted"


def test_code_on_other_lines_is_stale_and_its_place_is_told(tmp_path) -> None:
    told = ask(tmp_path, QUOTED, "60-61")
    assert told.answer == "stale"
    assert told.evidence == "the code moved from 60-61 to 6-7"


@pytest.mark.parametrize(
    "code",
    [
        "mixed = torch.lerp(\n    host,\n    seed,\n    alpha,\n)",
        "mixed = torch.lerp(host, seed, alpha)  # as it was",
        "mixed = (torch.lerp(host, seed, alpha))",
        "def blend(\n    host, seed,\n    alpha\n):",
    ],
    ids=["wrapped", "another comment", "parentheses", "the head of a function, wrapped"],
)
def test_code_in_another_layout_is_stale_and_its_place_is_told(tmp_path, code) -> None:
    told = ask(tmp_path, code)
    assert told.answer == "stale"
    assert "another layout" in told.evidence
    assert told.places[0].startswith(("blend.py:4", "blend.py:6"))


def test_code_that_says_another_thing_is_refuted(tmp_path) -> None:
    assert ask(tmp_path, "mixed = torch.lerp(seed, host, alpha)").answer == "refuted"
    assert ask(tmp_path, "mixed = torch.lerp(host, seed, 'alpha')").answer == "refuted"


def test_indentation_inside_a_quotation_counts(tmp_path) -> None:
    text = "if a:\n    b()\nc()\n"
    assert ask(tmp_path, "if a:\n    b()\n    c()", text=text).answer == "refuted"


def test_code_in_another_file_is_stale_and_that_file_is_named(tmp_path) -> None:
    files = {"old.py": "x = 1\n", "new.py": BLEND}
    told = reply(tmp_path, files, kind="quote", path="old.py", code=QUOTED)
    assert (told.answer, "new.py:6-7" in told.evidence) == ("stale", True)
    told = reply(tmp_path, files, kind="quote", path="gone.py", code=QUOTED)
    assert told.answer == "stale"
    assert told.evidence.startswith("there is no file gone.py; the code is in new.py")


def test_a_file_that_does_not_parse_is_compared_word_for_word_and_no_further(tmp_path) -> None:
    broken = BLEND + "def (\n"
    assert ask(tmp_path, QUOTED, text=broken).answer == "holds"
    told = ask(tmp_path, "mixed = lerp(host)", text=broken)
    assert (told.answer, "does not parse" in told.evidence) == ("cannot-tell", True)


def test_a_document_may_be_quoted(tmp_path) -> None:
    files = {"study.md": "# Study\n\nSmall seeds are\nfavoured.\n"}
    said = reply(tmp_path, files, kind="quote", path="study.md", code="Small seeds are\nfavoured.")
    assert said.answer == "holds"
    told = reply(tmp_path, files, kind="quote", path="study.md", code="Small seeds are favoured.")
    assert told.answer == "stale"


def test_nothing_outside_the_tree_is_read(tmp_path) -> None:
    (tmp_path / "secret").write_text("word\n")
    told = reply(tmp_path / "tree", {}, kind="quote", path="../secret", code="word")
    assert told.answer == "stale"


def test_a_quotation_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="`code` quotes nothing"):
        claim(kind="quote", path="a.py", code="...\n\n# ...")
