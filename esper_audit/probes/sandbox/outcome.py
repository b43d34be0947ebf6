"""What a sandboxed job is, the limits it has, and each way in which it can end."""

from __future__ import annotations

from typing import Literal

import msgspec

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30

Stage = Literal["starting", "importing", "running"]


class Limits(msgspec.Struct, frozen=True):
    """What a job may use.

    `seconds` is wall-clock time from the moment the job's process is ready, imports of the user's code
    included. `memory_bytes` is address space; torch alone maps 650 MiB. `output_bytes` is how much of
    the end of stdout and stderr is kept; `file_bytes` bounds each file that the job writes.
    """

    seconds: float = 60.0
    memory_bytes: int = 3 * GIBIBYTE
    output_bytes: int = 16384
    file_bytes: int = 8 * MEBIBYTE


class Job(msgspec.Struct, frozen=True):
    """One call: `package.module:function` or `path/to/file.py:function`, with keyword arguments.

    Arguments and result travel as msgpack: tuples arrive as lists, Structs as dictionaries. `limits`
    replaces the sandbox's own.
    """

    name: str
    function: str
    arguments: dict[str, object] = {}
    limits: Limits | None = None


class SourceLine(msgspec.Struct, frozen=True):
    """A line of source."""

    path: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}, in {self.function}"


class Failure(msgspec.Struct, frozen=True):
    """An exception that ended a job; `place` is the deepest line of the user's own code, where there is one."""

    type: str
    message: str
    place: SourceLine | None
    traceback: str

    def __str__(self) -> str:
        where = f" ({self.place})" if self.place else ""
        return f"{self.type}: {self.message}{where}"


class Returned(msgspec.Struct, frozen=True, tag_field="kind", tag="returned"):
    """The function returned a value."""

    value: object

    def __str__(self) -> str:
        return "returned a value"


class Raised(Failure, frozen=True, tag_field="kind", tag="raised"):
    """The function raised; SystemExit counts."""

    def __str__(self) -> str:
        return f"raised {Failure.__str__(self)}"


class ImportFailed(Failure, frozen=True, tag_field="kind", tag="import_failed"):
    """The module or file of the function could not be imported, or does not hold the function."""

    def __str__(self) -> str:
        return f"could not be imported: {Failure.__str__(self)}"


class OutOfMemory(Failure, frozen=True, tag_field="kind", tag="out_of_memory"):
    """An allocation was refused: MemoryError, or the RuntimeError of torch's allocator."""

    def __str__(self) -> str:
        return f"ran out of memory: {Failure.__str__(self)}"


class NotSerialisable(msgspec.Struct, frozen=True, tag_field="kind", tag="not_serialisable"):
    """The function returned something that msgpack does not hold, or far too much of it."""

    message: str

    def __str__(self) -> str:
        return f"returned what cannot be passed on: {self.message}"


class TimedOut(msgspec.Struct, frozen=True, tag_field="kind", tag="timed_out"):
    """The wall clock ran out."""

    seconds: float

    def __str__(self) -> str:
        return f"was still at it after {self.seconds:g} s"


class Killed(msgspec.Struct, frozen=True, tag_field="kind", tag="killed"):
    """A signal ended the process; for a crash the end of the output holds the Python stack."""

    signal: str

    def __str__(self) -> str:
        return f"was killed by {self.signal}"


class Exited(msgspec.Struct, frozen=True, tag_field="kind", tag="exited"):
    """The process ended without a verdict: a crash, status 0 or not."""

    status: int

    def __str__(self) -> str:
        return f"ended with status {self.status} and without a verdict"


class ServerDied(msgspec.Struct, frozen=True, tag_field="kind", tag="server_died"):
    """The process that looks after the job died or fell silent with the job in hand."""

    def __str__(self) -> str:
        return "took the process that looked after it along"


Ending = (
    Returned
    | Raised
    | ImportFailed
    | OutOfMemory
    | NotSerialisable
    | TimedOut
    | Killed
    | Exited
    | ServerDied
)


class Cost(msgspec.Struct, frozen=True):
    """What the job used; the only part of an outcome that differs between two runs of a sound job.

    Wall-clock seconds from ready to verdict, processor seconds and peak resident bytes of the whole
    process (0 where the system does not tell).
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_bytes: int = 0


class JobOutcome(msgspec.Struct, frozen=True):
    """How a job ended, at which stage, the end of what it printed (stdout and stderr together), and its cost."""

    job: str
    ending: Ending
    stage: Stage
    output: str
    cost: Cost

    def __str__(self) -> str:
        during = "" if self.stage == "running" else f" while {self.stage}"
        return f"{self.job} {self.ending}{during}"


class JobRequest(msgspec.Struct, frozen=True):
    """A job on its way to the process that will do it, with a directory for its temporary files."""

    job: Job
    limits: Limits
    scratch: str
