"""The code that a found ticket shows begins and ends between statements."""

from __future__ import annotations

import msgspec
from support.sample_findings import a_finding

from esper_audit.source.syntax.source import Source, parse
from esper_audit.workflow.ticket_from_finding import with_whole_statements

TEXT = """\
def work(a, b):
    first(
        a,
        b,
    )

    second(
        a,
        b,
    )
    third(
        b,
        a,
    )
"""


def shown(first: int, last: int, line: int, text: str = TEXT) -> tuple[int, str]:
    """Return the excerpt of a finding at a line whose excerpt was cut at two lines."""
    source = parse("model.py", text.encode())
    assert isinstance(source, Source)
    lines = text.splitlines()[first - 1 : last]
    location = msgspec.structs.replace(a_finding().location, line=line, end_line=line)
    found = msgspec.structs.replace(
        a_finding(), location=location, excerpt="\n".join(lines), excerpt_line=first
    )
    cut = with_whole_statements(found, source)
    return cut.excerpt_line, cut.excerpt


def test_the_statement_of_the_finding_is_completed_and_parts_of_its_neighbours_are_left_out() -> (
    None
):
    assert shown(4, 11, line=8) == (7, "    second(\n        a,\n        b,\n    )")


def test_whole_neighbours_stay() -> None:
    assert shown(2, 10, line=7) == (2, "\n".join(TEXT.splitlines()[1:10]))


def test_the_head_of_a_function_is_a_statement_of_its_own() -> None:
    assert shown(1, 3, line=1) == (1, "def work(a, b):")


def test_a_statement_that_is_too_long_to_show_stays_cut() -> None:
    text = "table = [\n" + "    1,\n" * 40 + "]\n"
    assert shown(18, 22, line=20, text=text) == (18, "\n".join(["    1,"] * 5))


def test_an_excerpt_that_is_not_of_the_file_stays_as_it_is() -> None:
    found = a_finding()
    assert with_whole_statements(found, parse("model.py", TEXT.encode())) == found
    assert with_whole_statements(found, None) == found
