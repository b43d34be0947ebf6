"""The folder of tickets: read strictly, and updated without touching edits by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from support.sample_findings import a_finding

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.parts import Opinion, Review
from esper_audit.tickets.states import Status
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.ticket_from_finding import ticket_from_finding

DAY = "2026-05-04"


def stored(tmp_path: Path) -> tuple[TicketStore, Ticket, Path]:
    store = TicketStore(str(tmp_path))
    ticket = ticket_from_finding(a_finding(), why="it hurts", date=DAY)
    store.save(ticket, None)
    return store, ticket, Path(store.path(ticket.id))


def test_a_ticket_reads_back_as_it_was_written(tmp_path: Path) -> None:
    store, ticket, _ = stored(tmp_path)
    assert store.load() == {ticket.id: ticket}


def test_saving_what_has_not_changed_touches_nothing(tmp_path: Path) -> None:
    store, ticket, file = stored(tmp_path)
    before = file.stat().st_mtime_ns
    store.save(ticket, ticket)
    assert file.stat().st_mtime_ns == before


WRONG = {
    "a word that is none of them": (
        "severity: P3",
        "severity: P9",
        ":4: severity: Invalid enum value 'P9'; known: P0, P1, P2, P3, P4",
    ),
    "an unknown key": (
        "check: unauth",
        "chekc: unauth",
        ":10: chekc: unknown key; did you mean 'check'?",
    ),
    "a missing key": ("title: has", "batch: has", ":1: title: is missing"),
    "a date that is none": (
        "created: '2026-05-04'",
        "created: yesterday",
        ":6: created: Expected a date such as 2026-05-04, or an empty text",
    ),
    "a number for a word": (
        "lines: '3'",
        "lines: 3",
        ":15: locations[0].lines: Expected `str`, got `int`. Put it in quotes.",
    ),
    "invalid YAML": (
        "title:",
        "title: [",
        ":2: invalid YAML: while parsing a flow sequence, did not find expected ',' or ']'",
    ),
    "a key twice": ("created:", "status: open\ncreated:", ":6: status: duplicate key"),
    "another file's id": (
        "id: EA-01234567",
        "id: EA-other",
        ":1: id: the file of ticket EA-other must be called EA-other.yaml",
    ),
    "a severity without reason": (
        "severity: P3",
        "severity: P1",
        ":4: severity: differs from P3, which the check proposes, without a reason. Add `severity_reason`.",
    ),
    "a tag": (
        "status: open",
        "status: !!binary open",
        ":3: unsupported tag !!binary (expected a plain value). Remove the tag.",
    ),
    "a wrong word deep inside": (
        "source:",
        (
            "reviews:\n- reviewer: jo\n  verdict: endorse\n\n# the second\n- reviewer: mo\n"
            "  evaluation: |\n    verdict: none\n  verdict: maybe\nsource:"
        ),
        ":31: reviews[1].verdict: Invalid enum value 'maybe'; known: endorse, neutral, object, refine",
    ),
    "a key missing deep inside": (
        "- path: model.py\n  symbol",
        "- symbol",
        ":13: locations[0].path: is missing",
    ),
    "evidence that shows nothing": (
        "evidence:\n",
        "evidence:\n- commit: abcd123\n",
        ":19: evidence[0]: evidence needs a `text`, a `code` or a `table`",
    ),
}


@pytest.mark.parametrize(("old", "new", "says"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_ticket_is_named_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    _, _, file = stored(tmp_path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(TicketError) as caught:
        TicketStore(str(file.parent)).load()[file.stem]
    assert str(caught.value).startswith(f"{file}{says}")


def test_edits_by_hand_stay_byte_for_byte(tmp_path: Path) -> None:
    store, _, file = stored(tmp_path)
    noted = file.read_text().replace(
        "\nseverity: P3", "\n# raised in the meeting  \nseverity:   'P3'   # for now"
    )
    noted += (
        "\n# the end\ndescription: |\n  trailing spaces   \n\n  and an indented line:\n    x = 1\n"
    )
    file.write_text(noted)
    person = TicketStore(str(file.parent)).load()[file.stem]
    moved = msgspec.structs.replace(person, locations=[*person.locations, *person.locations])
    store.save(moved, person)
    kept = [line for line in noted.splitlines() if "path:" not in line and "lines:" not in line]
    now = file.read_text().splitlines()
    assert [line for line in kept if line not in now] == []
    assert TicketStore(str(file.parent)).load()[file.stem] == moved
    assert "severity:   'P3'   # for now" in now


def test_edits_by_hand_during_a_run_stay(tmp_path: Path) -> None:
    store, ticket, file = stored(tmp_path)
    file.write_text(file.read_text().replace("created:", "assignee: jo  # since today\ncreated:"))
    closed = ticket.with_status(Status.FIXED, date=DAY, by="esper-audit", why="gone")
    assert store.save(closed, ticket)
    assert TicketStore(str(file.parent)).load()[file.stem] == msgspec.structs.replace(
        closed, assignee="jo"
    )
    assert "assignee: jo  # since today\n" in file.read_text()


def test_a_key_that_was_changed_in_the_file_too_is_refused(tmp_path: Path) -> None:
    store, ticket, file = stored(tmp_path)
    text = file.read_text().replace("status: open", "status: investigating")
    file.write_text(text)
    closed = ticket.with_status(Status.FIXED, date=DAY, by="esper-audit", why="gone")
    with pytest.raises(
        TicketError, match=r"yaml:1: status: the value in the file changed meanwhile"
    ):
        store.save(closed, ticket)
    assert file.read_text() == text


def test_defaults_that_are_written_out_stay(tmp_path: Path) -> None:
    store, _, file = stored(tmp_path)
    file.write_text(
        file.read_text()
        + "batch: ''\nreviews:\n- reviewer: jo\n  verdict: endorse\n  date: ''  # unknown\n"
    )
    ticket = TicketStore(str(file.parent)).load()[file.stem]
    second = Review(reviewer="mo", verdict=Opinion.OBJECT)
    assert store.save(msgspec.structs.replace(ticket, reviews=[*ticket.reviews, second]), ticket)
    assert file.read_text().endswith(
        "batch: ''\nreviews:\n- reviewer: jo\n  verdict: endorse\n  date: ''  # unknown\n"
        "- reviewer: mo\n  verdict: object\n"
    )


def test_a_second_ticket_with_the_same_id_is_refused(tmp_path: Path) -> None:
    store, ticket, file = stored(tmp_path)
    before = file.read_bytes()
    with pytest.raises(TicketError, match="there is a ticket with this id already"):
        store.save(msgspec.structs.replace(ticket, title="another"), None)
    assert file.read_bytes() == before


def test_all_wrong_files_are_named_at_once(tmp_path: Path) -> None:
    store, _, file = stored(tmp_path)
    (tmp_path / "A.yaml").write_text("")
    (tmp_path / "B.yaml").write_bytes(b"id: B\ntitle: \xff\n")
    (tmp_path / "C.yaml").mkdir()
    (tmp_path / "D.yaml").symlink_to("nowhere")
    (tmp_path / "notes.txt").write_text("no ticket")
    with pytest.raises(TicketError) as caught:
        store.load()
    assert [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).split("\n")] == [
        "A.yaml:1: invalid ticket (expected a mapping of keys to values)",
        "B.yaml:2: not UTF-8: invalid start byte",
        "C.yaml:1: cannot be read: Is a directory",
        "D.yaml:1: cannot be read: No such file or directory",
    ]
    assert file.exists()


def test_the_temporary_file_of_a_killed_write_is_removed(tmp_path: Path) -> None:
    store, ticket, _ = stored(tmp_path)
    left, kept = tmp_path / ".esper-audit-0123456789abcdef.tmp", tmp_path / ".hidden.yaml"
    left.write_text("id: hal")
    kept.write_text("a person's")
    assert store.load() == {ticket.id: ticket}
    with store.exclusive():
        assert not left.exists()
    assert kept.exists()


def test_a_known_content_is_not_parsed_again_and_a_changed_one_is(
    tmp_path: Path, cache_directory: Path
) -> None:
    store, ticket, file = stored(tmp_path / "tickets")
    assert store.load() == store.load() == {ticket.id: ticket}
    (index,) = cache_directory.glob("*.tickets")
    loaded = python(LOADED, str(tmp_path / "tickets"))
    assert loaded == "EA-01234567 False\n", "an indexed load imports no YAML parser"
    file.write_text(file.read_text().replace("title: has", "title: Has"))
    assert python(LOADED, str(tmp_path / "tickets")) == "EA-01234567 True\n"
    assert store.load()[ticket.id].title.startswith("Has")
    index.write_bytes(b"\x00 no index")
    assert store.load()[ticket.id].title.startswith("Has")
    file.unlink()
    assert store.load() == {}


LOADED = """
import sys
from esper_audit.tickets.store import TicketStore
print(*TicketStore(sys.argv[1]).load(), "yaml" in sys.modules)
"""


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


SAVED_MEANWHILE = """
import os, sys
from pathlib import Path
import msgspec
from esper_audit.tickets.store import TicketStore
store = TicketStore(sys.argv[1])
(ticket,) = store.load().values()
file = Path(store.path(ticket.id))
begun = []
def save_by_hand(event, arguments):
    is_write = event == "open" and (os.path.isdir(arguments[0]) or str(arguments[0]).endswith(".tmp"))
    if is_write and len(begun) < int(sys.argv[2]):
        begun.append(True)
        file.write_text(file.read_text().replace("it hurts", "it hurts much", 1) + "# by hand\\n")
sys.addaudithook(save_by_hand)
store.save(msgspec.structs.replace(ticket, domain="training"), ticket)
print(len(begun))
"""


def test_what_a_user_saves_between_read_and_rename_stays(tmp_path: Path) -> None:
    store, ticket, file = stored(tmp_path)
    assert python(SAVED_MEANWHILE, str(tmp_path), "1") == "1\n"
    assert file.read_text().endswith("# by hand\n")
    after = store.load()[ticket.id]
    assert (after.domain, after.why_it_matters) == ("training", "it hurts much")


def test_a_file_that_is_saved_without_end_is_left_as_it_is(tmp_path: Path) -> None:
    _, _, file = stored(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", SAVED_MEANWHILE, str(tmp_path), "1000"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.endswith("another process changed the file meanwhile\n")
    assert file.read_text().count("# by hand") > 10
    assert "training" not in file.read_text()


@pytest.mark.parametrize("is_new", [True, False])
def test_a_text_that_is_no_unicode_is_one_line_and_leaves_the_file(
    tmp_path: Path, is_new: bool
) -> None:
    store, ticket, file = stored(tmp_path)
    before = file.read_bytes()
    other = msgspec.structs.replace(ticket, id="EA-2" if is_new else ticket.id, domain="\udcff")
    with pytest.raises(TicketError, match=r"cannot be written as UTF-8 \(got the character"):
        store.save(other, None if is_new else ticket)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
