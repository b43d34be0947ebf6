"""Words: what the first line of a docstring may not hold, and what a comment has to."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from support.source_files import Function, SourceFile, offences, package_files, snippet

INDEFINITE_PERSONS = re.compile(r"\b(nobody|somebody|whoever)\b", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
SILENCE = re.compile(r"(type: ignore|noqa)\b")
REASONED_SILENCE = re.compile(
    r"(?:type: ignore(?:\[[^\]]*\])?|noqa(?:: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)*)?)(?P<rest>.*)"
)
PREDICATE = re.compile(r"_?(is|has)_")


def missing_first_lines(file: SourceFile) -> Iterator[str]:
    first = (ast.get_docstring(file.tree) or "").partition("\n")[0]
    if not first.endswith((".", "?")):
        yield file.at(1, f"the first line is no sentence: {first!r}")


def semicolons(file: SourceFile) -> Iterator[str]:
    return matching_first_lines(file, re.compile(";"))


def repeated_colons(file: SourceFile) -> Iterator[str]:
    return matching_first_lines(file, re.compile(r":\s.*:\s"))


def say_whether(file: SourceFile) -> Iterator[str]:
    return matching_first_lines(file, re.compile(r"\bSay whether\b", re.IGNORECASE))


def indefinite_persons(file: SourceFile) -> Iterator[str]:
    return matching_first_lines(file, INDEFINITE_PERSONS)


def matching_first_lines(file: SourceFile, pattern: re.Pattern[str]) -> Iterator[str]:
    for node, line in file.first_lines:
        if pattern.search(re.sub("`[^`]*`", "``", line)):
            yield file.at(1 if isinstance(node, ast.Module) else node.lineno, line)


def predicates_without_whether(file: SourceFile) -> Iterator[str]:
    """Yield the `is_` and `has_` functions whose docstring does not begin with "Return whether"."""
    for node, line in file.first_lines:
        if not (isinstance(node, Function) and is_predicate(node)):
            continue
        if not line.startswith("Return whether"):
            yield file.at(node.lineno, f"{node.name}: {line}")


def is_predicate(function: Function) -> bool:
    returns_bool = isinstance(function.returns, ast.Name) and function.returns.id == "bool"
    return returns_bool and PREDICATE.match(function.name) is not None


def poor_comments(file: SourceFile) -> Iterator[str]:
    """Yield the comments that leave something to be done, or silence a tool without a reason."""
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if UNFINISHED.search(token.string):
            yield file.at(token.start[0], f"{token.string}: do it or open a ticket")
        if is_silence_without_reason(token.string):
            yield file.at(token.start[0], f"{token.string}: give the reason behind it")


def is_silence_without_reason(comment: str) -> bool:
    parts = [part.strip() for part in comment.split("#") if part.strip()]
    silences = [part for part in parts if SILENCE.match(part)]
    matches = [REASONED_SILENCE.match(part) for part in silences]
    has_reason = len(silences) < len(parts) or any(m and m["rest"].strip() for m in matches)
    return bool(silences) and not has_reason


def test_a_file_begins_with_a_sentence() -> None:
    found = offences(missing_first_lines, package_files())
    assert not found, f"state in one sentence what is in the file:\n{found}"


def test_a_file_without_a_sentence_is_reported() -> None:
    for text in ("x = 1\n", '"""Some rules"""\n', '"""A sentence on\ntwo lines."""\n'):
        assert offences(missing_first_lines, [snippet(text)])
    assert not offences(missing_first_lines, [snippet('"""Some rules."""\n')])


def test_no_first_line_has_a_semicolon() -> None:
    found = offences(semicolons, package_files())
    assert not found, f"{count(found)} first lines are two sentences in one:\n{found}"


def test_no_first_line_has_two_colons() -> None:
    found = offences(repeated_colons, package_files())
    assert not found, f"{count(found)} first lines are nested:\n{found}"


def test_no_docstring_begins_with_say_whether() -> None:
    found = offences(say_whether, package_files())
    assert not found, f'{count(found)} docstrings; write "Return whether":\n{found}'


def test_a_predicate_returns_whether() -> None:
    found = offences(predicates_without_whether, package_files())
    assert not found, f'{count(found)} predicates; write "Return whether":\n{found}'


def test_no_first_line_is_about_an_indefinite_person() -> None:
    found = offences(indefinite_persons, package_files())
    assert not found, f"{count(found)} first lines; name caller, user, rule or process:\n{found}"


def count(found: str) -> int:
    return len(found.splitlines())


def test_first_lines_that_read_badly_are_reported() -> None:
    def reported(check: str, line: str) -> bool:
        file = snippet(
            f'def is_odd(x) -> bool:\n    """{line}\n\n    nobody; Say whether.\n    """\n'
        )
        return bool(offences(globals()[check], [file]))

    good = "Return whether `x;y: z: nobody` is odd: not even."
    bad = {
        "semicolons": "Return whether it is odd; even is not.",
        "repeated_colons": "Return: whether it is: odd.",
        "say_whether": "Say whether it is odd.",
        "indefinite_persons": "Return whether nobody calls it.",
        "predicates_without_whether": "An odd number.",
    }
    assert [check for check, line in bad.items() if not reported(check, line)] == []
    assert [check for check in bad if reported(check, good)] == []


def test_no_comment_leaves_work_and_every_silence_has_its_reason() -> None:
    found = offences(poor_comments, package_files())
    assert not found, found


def test_a_todo_and_a_silence_without_reason_are_reported() -> None:
    bad = ["# TODO", "x = 1  # type: ignore[arg-type]", "x = 1  # noqa: E501, F401"]
    good = [
        "# why",
        "x = 1  # noqa: E501  # a table",
        "x = 1  # type: ignore[x]  # the stub is wrong",
    ]
    assert [line for line in bad if not offences(poor_comments, [snippet(line + "\n")])] == []
    assert [line for line in good if offences(poor_comments, [snippet(line + "\n")])] == []
