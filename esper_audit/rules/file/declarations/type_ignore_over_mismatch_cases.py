"""The cases of the rule `type-ignore-over-mismatch`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "values of the declared type, and comments about something else",
        """
        import numpy  # type: ignore


        def settings(width) -> dict[str, int]:
            return {"width": width}  # type: ignore[return-value]


        def rows(table: Mapping | None) -> "dict | None":
            kept: Any = {"a": 1}  # type: ignore[assignment]
            return {"table": table[0]}  # type: ignore[index]
        """,
    ),
    Valid(
        "a typed dict with its keys, some of which are not required",
        """
        from typing import NotRequired, TypedDict


        class Row(TypedDict):
            loss: float
            step: int
            note: NotRequired[str]


        class Part(TypedDict, total=False):
            loss: float


        def row(loss, step) -> Row:
            part: Part = {"loss": loss}  # type: ignore
            return {"loss": loss, "step": step}  # type: ignore[typeddict-item]
        """,
    ),
    Valid(
        "attributes of functions, of modules and of classes that the file does not show whole",
        """
        from elsewhere import Base, wrapped


        class Open(Base):
            pass


        class Loose:
            def __getattr__(self, name):
                return 1


        @wrapped
        class Decorated:
            pass


        def run(a: Open, b: Loose, c: Decorated, d, e: "int"):
            run.calls = 1  # type: ignore[attr-defined]
            a.extra = b.extra = c.extra = d.extra = e.extra = 1  # type: ignore
            return a.other  # type: ignore[attr-defined]
        """,
    ),
    Valid(
        "an attribute that the class, a base or a subclass in the file has, and no comment",
        """
        class Slot:
            def __init__(self):
                self.alpha = 0.0


        class Gated(Slot):
            gate = None


        def run(slot: Slot, other: Gated):
            slot.alpha = 1.0  # type: ignore[assignment]
            slot.gate = other.alpha  # type: ignore[attr-defined]
            other.note = 1
        """,
    ),
    Valid(
        "a dict for a class of which the file does not show that it is none",
        """
        from pydantic import BaseModel


        class Answer(BaseModel):
            text: str


        def send(answer: Answer, kind):
            return answer


        send({"text": "yes"}, 1)  # type: ignore[arg-type]
        other({"text": "yes"})  # type: ignore
        """,
    ),
    Valid(
        "an alias of a dict",
        """
        Row = dict[str, list[int]]
        Rows: object = list[Row]

        def encode(text, tokens) -> Row:
            return {  # type: ignore
                "ids": tokens(text),
            }
        """,
    ),
)

INVALID = (
    Invalid(
        "a dict as the typed payload of an event of another file",
        """
        from telemetry import Event, Kind


        def emit(hub, device):
            hub.emit(Event(
                kind=Kind.ROLLBACK,
                data={  # type: ignore[arg-type]
                    "env_id": 1,
                    "device": str(device),
                },
            ))
        """,
        (
            (
                7,
                "the comment hides a dict where another type is declared. Make a value of the declared type.",
            ),
        ),
    ),
    Invalid(
        "a dict for a data class, returned, assigned and passed",
        """
        from __future__ import annotations

        from dataclasses import dataclass


        @dataclass
        class Report:
            loss: float
            step: int = 0


        def publish(report: Report | None, *, last: "Report" = None):
            return report


        def make(loss) -> Report:
            first: Report = {"loss": loss}  # type: ignore
            publish(dict(loss=loss), last={"loss": 0.0})  # pyright: ignore[reportArgumentType]
            return {"loss": loss}  # type: ignore[return-value]
        """,
        (
            (17, "the comment hides a dict where `Report` is declared. Make a `Report`."),
            (18, "the comment hides a dict where `Report` is declared. Make a `Report`."),
            (18, "the comment hides a dict where `Report` is declared. Make a `Report`."),
            (19, "the comment hides a dict where `Report` is declared. Make a `Report`."),
        ),
    ),
    Invalid(
        "keys that the typed dict does not have",
        """
        from typing import TypedDict


        class Row(TypedDict):
            loss: float
            step: int


        def row(loss) -> Row:
            return {"los": loss, "step": 1}  # type: ignore[typeddict-item]
        """,
        (
            (
                10,
                (
                    "the comment hides that this `Row` lacks `loss` and adds `los`. "
                    "Write the keys that the type declares."
                ),
            ),
        ),
    ),
    Invalid(
        "an imported type",
        """
        from records import Row


        def row(loss) -> Row:
            kept: Row = {"loss": loss}  # type: ignore
            return {"los": loss}  # type: ignore[typeddict-unknown-key]
        """,
        (
            (
                5,
                "the comment hides a dict where `Row` is declared. Make a value of the declared type.",
            ),
            (
                6,
                (
                    "the comment hides keys that the type does not have where `Row` is declared. "
                    "Make a value of the declared type."
                ),
            ),
        ),
    ),
    Invalid(
        "an attribute that the class does not have",
        """
        from dataclasses import dataclass
        from enum import Enum
        from typing import Optional


        @dataclass(frozen=False)
        class State:
            epoch: int = 0


        class Plain:
            pass


        def run(state: Optional[State]):
            state.ema_loss = 0.5  # type: ignore[attr-defined]
            other = State()
            other.extra: int = 1  # type: ignore
            made: Plain = build()
            print(made.width)  # type: ignore
            return Plain.depth  # type: ignore[attr-defined]
        """,
        (
            (16, "the comment hides that `State` has no `ema_loss`. Declare it in the class."),
            (18, "the comment hides that `State` has no `extra`. Declare it in the class."),
            (20, "the comment hides that `Plain` has no `width`. Declare it in the class."),
            (21, "the comment hides that `Plain` has no `depth`. Declare it in the class."),
        ),
    ),
)
