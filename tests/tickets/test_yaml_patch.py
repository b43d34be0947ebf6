"""Values change in place, and every other byte stays, in any style of YAML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.yaml_edit.emit import inline, mapping_lines
from esper_audit.tickets.yaml_edit.load import YamlValue, compose, value_of
from esper_audit.tickets.yaml_edit.patch import patch_text

TEXT = f"""\
# a person's file
id:   X-1   # the id
status: 'open'

reviews:
# the first one
- reviewer: jo  # from the other team
  verdict: endorse

# and the second
- {{reviewer: mo, verdict: neutral}}
summary: |  # keep it short
  one{"   "}

  two

# what it is about
tags: [a, "b",   # why b
  c]
history:
- after: open
  date: '2026-01-01'   # a Thursday
# the end
"""


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def content() -> dict[str, YamlValue]:
    value = value_of(compose(TEXT))
    assert isinstance(value, dict)
    return value


def at(value: YamlValue, *path: str | int) -> YamlValue:
    for step in path:
        assert isinstance(value, dict | list)
        value = value[step]  # type: ignore[index, call-overload]  # a path fits the value it is for
    return value


def put(*path: str | int, value: YamlValue) -> dict[str, YamlValue]:
    values = content()
    inside = at(values, *path[:-1])
    assert isinstance(inside, dict | list)
    if isinstance(inside, list) and path[-1] == len(inside):
        inside.append(value)
    else:
        inside[path[-1]] = value  # type: ignore[index, call-overload]  # a path fits its value
    return values


def without(*path: str | int) -> dict[str, YamlValue]:
    values = content()
    inside = at(values, *path[:-1])
    assert isinstance(inside, dict | list)
    del inside[path[-1]]  # type: ignore[arg-type]  # a path fits the value it is for
    return values


CHANGES: dict[str, tuple[dict[str, YamlValue], str]] = {
    "a quoted word": (put("status", value="fixed"), changed("'open'", "fixed")),
    "a word with spaces in front and a comment": (
        put("id", value="X-2"),
        changed("X-1   #", "X-2   #"),
    ),
    "a word inside a list": (
        put("reviews", 0, "verdict", value="object"),
        changed("verdict: endorse", "verdict: object"),
    ),
    "a word inside braces": (
        put("reviews", 1, "verdict", value="refine: it"),
        changed("neutral", "'refine: it'"),
    ),
    "a new key inside an item": (
        put("reviews", 0, "date", value="2026-01-02"),
        changed("endorse\n", "endorse\n  date: '2026-01-02'\n"),
    ),
    "a new key inside braces": (
        put("reviews", 1, "date", value="today"),
        changed("neutral}", "neutral, date: today}"),
    ),
    "a new item behind a comment": (
        put("history", 1, value={"after": "fixed", "why": "gone\nat last"}),
        changed("a Thursday\n", "a Thursday\n- after: fixed\n  why: |-\n    gone\n    at last\n"),
    ),
    "a new item behind one in braces": (
        put("reviews", 2, value={"reviewer": "al"}),
        changed("neutral}\n", "neutral}\n- reviewer: al\n"),
    ),
    "a new item in brackets": (put("tags", 3, value="done"), changed("c]", "c, done]")),
    "an item gone from brackets": (without("tags", 2), changed(",   # why b\n  c]", "]")),
    "the first item gone from brackets": (without("tags", 0), changed('a, "b"', '"b"')),
    "an item gone with its comment behind it": (
        without("history", 0, "date"),
        changed("  date: '2026-01-01'   # a Thursday\n", ""),
    ),
    "an item gone": (
        without("reviews", 0),
        changed("- reviewer: jo  # from the other team\n  verdict: endorse\n", ""),
    ),
    "a block": (
        put("summary", value="three\nfour"),
        changed(
            "|  # keep it short\n  one   \n\n  two\n", "|-  # keep it short\n  three\n  four\n"
        ),
    ),
    "a block that becomes a word": (
        put("summary", value="short"),
        changed("|  # keep it short\n  one   \n\n  two\n", "short  # keep it short\n"),
    ),
    "a word that becomes a block": (
        put("id", value="a\nb"),
        changed("X-1   # the id", "|-   # the id\n  a\n  b"),
    ),
    "a word that becomes a list": (
        put("status", value=["open"]),
        changed("status: 'open'", "status:\n- open"),
    ),
    "a list that becomes nothing": (
        put("history", value=[]),
        changed(
            "history:\n- after: open\n  date: '2026-01-01'   # a Thursday",
            "history: []   # a Thursday",
        ),
    ),
    "a key gone": (
        without("summary"),
        changed("summary: |  # keep it short\n  one   \n\n  two\n", ""),
    ),
}


@pytest.mark.parametrize(("values", "expected"), CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_change_touches_its_own_bytes_only(
    values: dict[str, YamlValue], expected: str, newline: str
) -> None:
    text = TEXT.replace("\n", newline)
    assert patch_text(text, values) == expected.replace("\n", newline)
    assert value_of(compose(patch_text(text, values))) == values


def test_a_new_key_goes_behind_the_one_that_it_follows() -> None:
    values = {"id": "X", "batch": "2", "title": "t", "agent": "jo"}
    assert patch_text("# top\ntitle: t # x\nid: X # y\n# end\n", values) == (
        "# top\ntitle: t # x\nagent: jo\nid: X # y\nbatch: '2'\n# end\n"
    )


def test_a_file_without_a_last_line_end_gets_lines_of_its_own() -> None:
    assert patch_text("id: X", {"id": "X", "agent": "jo"}) == "id: X\nagent: jo"


def test_a_byte_order_mark_and_document_marks_stay() -> None:
    text = "\ufeff---\nid: X\nstatus: open\n...\n"
    assert patch_text(text, {"id": "X", "status": "fixed", "why": "gone"}) == (
        "\ufeff---\nid: X\nstatus: fixed\nwhy: gone\n...\n"
    )


def test_a_file_in_braces_stays_in_braces() -> None:
    text = '{"id": "X",\n "list": [1, 2]}\n'
    values: dict[str, YamlValue] = {"id": "Y", "list": [2, 3], "new": {"a": None}}
    result = patch_text(text, values)
    assert result == '{"id": \'Y\',\n "list": [2, 3], new: {a: null}}\n'


def test_an_unchanged_anchor_stays_and_a_changed_one_is_refused() -> None:
    text = "note: &n long\nother: *n\nstatus: open\n"
    done = patch_text(text, {"note": "long", "other": "long", "status": "fixed"})
    assert done == text.replace("open", "fixed")
    with pytest.raises(TicketError, match="Replace aliases by their values"):
        patch_text(text, {"note": "short", "other": "long", "status": "open"})


def test_a_key_without_a_colon_is_refused_only_where_it_changes() -> None:
    assert patch_text("{id: X, note}\n", {"id": "Y", "note": None}) == "{id: 'Y', note}\n"
    with pytest.raises(TicketError, match="Replace aliases by their values"):
        patch_text("{id: X, note}\n", {"id": "X", "note": "long"})


WORDS = st.sampled_from(
    ["open", "a b", "x: y", "it's", "no", "12", "l1\nl2", "p\n\n  q  \n", "# h", "z" * 120, ""]
)
ODD = st.sampled_from([" lead", "t\tb", "two\n\n\n", "\n", "  \n a", "😀 ok\n- x", "\x85", "~"])
SCALARS = st.one_of(
    WORDS, ODD, st.integers(0, 9), st.none(), st.booleans(), st.floats(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["aa", "b_c", "id", "note"]), inner, max_size=4),
    ),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["id", "title", "status", "reviews", "history"]), VALUES, min_size=1
)


@given(DOCUMENTS)
def test_what_is_written_reads_back(content: dict[str, YamlValue]) -> None:
    assert value_of(compose("\n".join(mapping_lines(content)) + "\n")) == content
    assert value_of(compose(f"k: {inline(content)}\n")) == {"k": content}


@given(DOCUMENTS, DOCUMENTS)
def test_any_document_can_become_any_other(
    before: dict[str, YamlValue], after: dict[str, YamlValue]
) -> None:
    text = "\n".join(mapping_lines(before)) + "\n"
    assert value_of(compose(patch_text(text, after))) == after
    assert patch_text(text, before) == text
