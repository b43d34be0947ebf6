"""The claim `quote`: code that is unchanged, moved, reformatted, shortened, commented or gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import ValidationError
from support.claim_replies import claim, reply

BLEND = '''"""Blending."""


def blend(host, seed, alpha):
    # how far the seed is let in
    mixed = torch.lerp(host, seed, alpha)
    return mixed
'''
QUOTED = "mixed = torch.lerp(host, seed, alpha)\nreturn mixed"


def reply_to(tmp_path: Path, code: str, lines: str | None = None, text: str = BLEND):
    return reply(
        tmp_path, {"blend.py": text}, kind="quote", path="blend.py", code=code, lines=lines
    )


@pytest.mark.parametrize("lines", [None, "6-7", "7", "5-20"])
def test_code_on_the_lines_cited_or_without_lines_anywhere_holds(tmp_path, lines) -> None:
    result = reply_to(tmp_path, QUOTED, lines)
    assert (result.answer, result.places) == ("holds", ("blend.py:6-7",))


def test_a_quotation_with_an_omission_holds(tmp_path) -> None:
    result = reply_to(tmp_path, "def blend(host, seed, alpha):\n    ...\n    return mixed\n")
    assert (result.answer, result.places) == ("holds", ("blend.py:4-7",))


def test_a_line_with_omitted_arguments_matches_any(tmp_path) -> None:
    result = reply_to(tmp_path, "def blend(host, ...):\n    ...\n    return mixed\n")
    assert (result.answer, result.places) == ("holds", ("blend.py:4-7",))


def test_the_parts_of_a_quotation_occur_in_their_order(tmp_path) -> None:
    result = reply_to(tmp_path, "    return mixed\n    ...\ndef blend(host, seed, alpha):\n")
    assert result.answer == "refuted"


def test_code_on_other_lines_is_stale_and_its_place_is_named(tmp_path) -> None:
    result = reply_to(tmp_path, QUOTED, "60-61")
    assert result.answer == "stale"
    assert result.evidence == "the code moved from 60-61 to 6-7"


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
def test_code_in_another_layout_holds_and_its_place_is_named(tmp_path, code) -> None:
    result = reply_to(tmp_path, code)
    assert result.answer == "holds"
    assert "another layout" in result.evidence
    assert result.places[0].startswith(("blend.py:4", "blend.py:6"))


def test_different_code_is_refuted(tmp_path) -> None:
    assert reply_to(tmp_path, "mixed = torch.lerp(seed, host, alpha)").answer == "refuted"
    assert reply_to(tmp_path, "mixed = torch.lerp(host, seed, 'alpha')").answer == "refuted"


def test_indentation_inside_a_quotation_counts(tmp_path) -> None:
    text = "if a:\n    b()\nc()\n"
    assert reply_to(tmp_path, "if a:\n    b()\n    c()", text=text).answer == "refuted"


def test_code_in_another_file_is_stale_and_that_file_is_named(tmp_path) -> None:
    files = {"old.py": "x = 1\n", "new.py": BLEND}
    result = reply(tmp_path, files, kind="quote", path="old.py", code=QUOTED)
    assert (result.answer, "new.py:6-7" in result.evidence) == ("stale", True)
    result = reply(tmp_path, files, kind="quote", path="gone.py", code=QUOTED)
    assert result.answer == "stale"
    assert result.evidence.startswith("there is no file gone.py; the code is in new.py")


def test_a_file_that_does_not_parse_is_compared_exactly_only(tmp_path) -> None:
    broken = BLEND + "def (\n"
    assert reply_to(tmp_path, QUOTED, text=broken).answer == "holds"
    result = reply_to(tmp_path, "mixed = lerp(host)", text=broken)
    assert (result.answer, "does not parse" in result.evidence) == ("cannot-tell", True)


def test_a_document_may_be_quoted(tmp_path) -> None:
    files = {"study.md": "# Study\n\nSmall seeds are\nfavoured.\n"}
    result = reply(
        tmp_path, files, kind="quote", path="study.md", code="Small seeds are\nfavoured."
    )
    assert result.answer == "holds"
    result = reply(tmp_path, files, kind="quote", path="study.md", code="Small seeds are favoured.")
    assert (result.answer, "another layout" in result.evidence) == ("holds", True)
    result = reply(tmp_path, files, kind="quote", path="study.md", code="Large seeds are favoured.")
    assert result.answer == "refuted"


def test_nothing_outside_the_tree_is_read(tmp_path) -> None:
    (tmp_path / "secret").write_text("word\n")
    result = reply(tmp_path / "tree", {}, kind="quote", path="../secret", code="word")
    assert result.answer == "stale"


def test_a_quotation_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="`code` quotes nothing"):
        claim(kind="quote", path="a.py", code="...\n\n# ...")


STEP = '''class Step:
    def run(self, batch, *, scale=1.0, device="cpu", mode="train"):
        """Run a step.

        The loss is not scaled twice.
        """
        hub.emit(
            kind="step",
            message="begin of a step",
            data={
                "batch": batch,
                "mode": mode,
            },
        )
        for part in batch:
            loss = self.model(part)
            loss = loss * scale
            loss.backward()
        self.optimizer.step()
        return loss


def later(values):
    total = sum(values)
    return total
'''
AS_QUOTED = {
    "its docstring left out": "def run(self, batch, *, scale=1.0, device='cpu', mode='train'):\n    hub.emit(...)",
    "a part of the docstring": '''def run(self, batch, ...):
    """Run a step. ..."""''',
    "arguments left out": "hub.emit(\n    kind='step',\n    ...\n    data={\n        'batch': batch, ...\n    },\n)",
    "a shortened text": "message='begin ...',",
    "a comment with dots": "for part in batch:\n    # ... scale ...\n    loss.backward()\nself.optimizer.step()",
    "comments of a reviewer": "loss = loss * scale  # <-- applied twice?\n# BUG\nloss.backward()  # ...",
    "two parts by their lines": "# Line 17\nloss = loss * scale\n\n# Later at lines 23-24\ntotal = sum(values)",
    "two parts by a blank line": "loss = loss * scale\n\nself.optimizer.step()",
    "the first line copied without its space": "loss = self.model(part)\n            loss = loss * scale",
}


@pytest.mark.parametrize("name", AS_QUOTED)
def test_what_authors_of_tickets_add_and_leave_out_does_not_count(tmp_path, name: str) -> None:
    result = reply_to(tmp_path, AS_QUOTED[name], text=STEP)
    assert result.answer == "holds", result.evidence


NOT_AS_QUOTED = {
    "another docstring": ('def run(self, batch, ...):\n    """Stop a step."""', "refuted"),
    "what is left out ends with its bracket": ("hub.emit(...)\nself.optimizer.step()", "stale"),
    "what is left out ends with its block": (
        "for part in batch:\n    ...\n    return total",
        "refuted",
    ),
    "a changed line": ("loss = loss * scale\nloss.backwards()", "refuted"),
    "lines in between that nothing marks": ("for part in batch:\n    loss.backward()", "stale"),
    "a comment of the reviewer alone": ("# loss is scaled twice here", "cannot-tell"),
}


@pytest.mark.parametrize("name", NOT_AS_QUOTED)
def test_code_that_differs_does_not_hold(tmp_path, name: str) -> None:
    code, answer = NOT_AS_QUOTED[name]
    result = reply_to(tmp_path, code, text=STEP)
    assert result.answer == answer, result.evidence


def test_a_quotation_of_a_comment_holds_where_the_file_has_it(tmp_path) -> None:
    assert reply_to(tmp_path, "# how far the seed is let in").answer == "holds"


@pytest.mark.parametrize(
    ("lines", "answer"), [("2, 6", "holds"), ("1-2, 7", "holds"), ("1, 2-3", "stale")]
)
def test_several_ranges_may_be_cited(tmp_path, lines: str, answer: str) -> None:
    assert reply_to(tmp_path, QUOTED, lines).answer == answer
