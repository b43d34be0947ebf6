"""Reading tables of reviews: a row for each reviewer, labelled values, or a column for each reviewer."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.inline_values import (
    by_name,
    date_in,
    name_set,
    one_line,
    without_markup,
    words,
)
from esper_audit.tickets.markdown_import.document.tables import MarkdownTable
from esper_audit.tickets.markdown_import.terms.verdicts import verdict_in

REVIEWER, VERDICT, EVALUATION, DATE = "reviewer", "verdict", "evaluation", "date"
COLUMNS = {
    REVIEWER: "reviewer, agent, specialist, expert, role, perspective, by, name, review agent, who, model, "
    "reviewed by, reviewer agent, reviewing agent, specialty, discipline",
    VERDICT: "verdict, vote, decision, position, opinion, stance, final verdict, endorsement",
    EVALUATION: "evaluation, comment, comments, rationale, notes, note, assessment, analysis, reasoning, "
    "justification, feedback, summary, details, explanation, reason, review, remarks, evaluation notes, text",
    DATE: "date, reviewed, when, review date, reviewed on, date reviewed",
}
COLUMN_OF = by_name(COLUMNS)
# These name a column of verdicts only if every cell is a verdict.
POSSIBLE_VERDICT_COLUMNS = name_set("status, result, recommendation, assessment, response, outcome")
FIELD_AND_VALUE = name_set("field, value, key, property, attribute, item, aspect") | {""}


class ReviewRow(msgspec.Struct, frozen=True):
    """The cells of one reviewer by column, and the cells of other columns with their names."""

    cells: dict[str, str]
    other_cells: tuple[tuple[str, str], ...] = ()


class ReviewTable(msgspec.Struct, frozen=True):
    """The reviews of a table, its other rows, and its columns for rows that follow in another table."""

    entries: list[ReviewRow]
    rest: list[tuple[str, ...]]
    columns: tuple[str, ...]


def read_review_table(table: MarkdownTable, columns: Sequence[str] = ()) -> ReviewTable | None:
    """Return the reviews of a table, None without any.

    `columns` are those of the table before it.
    """
    if not table.every_row:
        return None
    if not table.header and len(columns) == len(table.every_row[0]):
        return _rows_as_reviews(table.rows, columns)
    if table.header:
        named = _named_columns(table)
        if named:
            return _rows_as_reviews(table.rows, named)
        transposed = _transposed(table)
        if transposed is not None:
            return transposed
    by_content = _columns_by_content(table)
    return _rows_as_reviews(table.every_row, by_content) if by_content else None


def named_values(table: MarkdownTable) -> list[tuple[str, str]]:
    """Return the labelled values of a table with a verdict among them, empty for another table."""
    rows = [row for row in table.every_row if len(row) == 2]
    is_plain = bool(table.header) and all(words(cell) in FIELD_AND_VALUE for cell in table.header)
    pairs = [(without_markup(a).rstrip(":"), b) for a, b in (rows[1:] if is_plain else rows)]
    has_verdict = any(
        COLUMN_OF.get(words(name)) == VERDICT and verdict_in(value) for name, value in pairs
    )
    return pairs if has_verdict else []


def review_rows(pairs: Sequence[tuple[str, str]]) -> list[ReviewRow]:
    """Group labelled values into rows.

    A repeated label begins the next row.
    """
    entries: list[ReviewRow] = []
    for name, value in pairs:
        column = COLUMN_OF.get(words(name), "")
        if not entries or (column and column in entries[-1].cells):
            entries.append(ReviewRow({}))
        last = entries[-1]
        if column:
            last.cells[column] = value
        elif value:
            entries[-1] = ReviewRow(last.cells, (*last.other_cells, (name, value)))
    return entries


def _named_columns(table: MarkdownTable) -> tuple[str, ...]:
    """Return the columns named by a header with a column of verdicts, empty for another header."""
    columns = [COLUMN_OF.get(words(cell), "") for cell in table.header]
    for n, cell in enumerate(table.header):
        cells = [row[n] for row in table.rows if row[n]]
        if (
            VERDICT not in columns
            and words(cell) in POSSIBLE_VERDICT_COLUMNS
            and cells
            and all(map(verdict_in, cells))
        ):
            columns[n] = VERDICT
    for n, column in enumerate(columns):
        if column and column in columns[:n]:
            columns[n] = ""
    others = [cell for cell, column in zip(table.header, columns, strict=True) if column != VERDICT]
    is_pair = len(others) == 1 and verdict_in(others[0]) is not None
    labels = tuple(
        column or one_line(cell) for column, cell in zip(columns, table.header, strict=True)
    )
    return labels if VERDICT in columns and not is_pair and (table.rows or len(labels) > 2) else ()


def _rows_as_reviews(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> ReviewTable | None:
    at = list(columns).index(VERDICT)
    entries: list[ReviewRow] = []
    rest: list[tuple[str, ...]] = []
    for row in rows:
        if verdict_in(row[at]) is None:
            rest.append(tuple(row))
            continue
        pairs = list(zip(columns, row, strict=True))
        cells = {name: cell for name, cell in pairs if name in COLUMNS}
        others = [(name, cell) for name, cell in pairs if name not in COLUMNS and cell]
        entries.append(ReviewRow(cells, tuple(others)))
    return ReviewTable(entries, rest, tuple(columns)) if entries else None


def _transposed(table: MarkdownTable) -> ReviewTable | None:
    """Read a table with reviewers or verdicts in its header, None for another table."""
    row_names = [words(row[0]) for row in table.rows]
    if (
        words(table.header[0]) in FIELD_AND_VALUE
        and "verdict" in row_names
        and "value" not in map(words, table.header)
    ):
        entries = []
        for n, reviewer in enumerate(table.header[1:], 1):
            cells = {
                COLUMN_OF[name]: row[n]
                for name, row in zip(row_names, table.rows, strict=True)
                if name in COLUMN_OF
            }
            others = [
                (row[0], row[n])
                for name, row in zip(row_names, table.rows, strict=True)
                if name not in COLUMN_OF
            ]
            entries.append(
                ReviewRow({**cells, REVIEWER: reviewer}, tuple(pair for pair in others if pair[1]))
            )
        return (
            ReviewTable(entries, [], ())
            if all(verdict_in(e.cells[VERDICT]) for e in entries)
            else None
        )
    if table.rows and all(verdict_in(cell) for cell in table.header):
        entries = [
            ReviewRow({VERDICT: verdict, REVIEWER: cell})
            for row in table.rows
            for verdict, cell in zip(table.header, row, strict=True)
            if without_markup(cell)
        ]
        return ReviewTable(entries, [], ())
    return None


def _columns_by_content(table: MarkdownTable) -> tuple[str, ...]:
    """Return the columns of a table without header: the verdicts, the dates, the first text, the longest text."""
    rows = table.every_row
    if not rows or len(rows[0]) < 2:
        return ()
    width = len(rows[0])
    verdicts = [n for n in range(width) if all(verdict_in(row[n], strict=True) for row in rows)]
    if not verdicts:
        return ()
    columns = [""] * width
    columns[verdicts[0]] = VERDICT
    for n in range(width):
        cells = [row[n] for row in rows if row[n]]
        if (
            not columns[n]
            and cells
            and all(date_in(cell) == without_markup(cell) for cell in cells)
        ):
            columns[n] = DATE
    others = [n for n in range(width) if not columns[n]]
    longest = max(others, key=lambda n: sum(len(row[n]) for row in rows), default=None)
    if (others and verdicts[0] > others[0]) or len(others) > 1:
        columns[others[0]] = REVIEWER
    if longest is not None and not columns[longest]:
        columns[longest] = EVALUATION
    return tuple(column or f"Column {n}" for n, column in enumerate(columns, 1))
