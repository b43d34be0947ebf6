"""Sandboxed jobs, their limits, and the ways in which they can end."""

from __future__ import annotations

from typing import Literal

import msgspec

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30

PATIENCE = 8  # times the limit that a job may take on a busy machine
JOURNAL = "journal"  # a file in the scratch folder of a job, which the outcome keeps
Stage = Literal["starting", "importing", "running"]


class Limits(msgspec.Struct, frozen=True):
    """The resources that a job may use.

    `seconds` is wall-clock time from the moment the job's process is ready, and includes imports of the
    user's code. Where the system says how long a process waits for a busy processor, that does not count, up
    to `PATIENCE` times the limit. `memory_bytes` is private memory beyond what the process has when the job
    starts: what the import of torch maps does not count. `output_bytes` is the length of the kept end of
    stdout and stderr. `file_bytes` bounds each file that the job writes. `is_guarded` forbids the network
    and writes outside the scratch folder.
    """

    seconds: float = 60.0
    memory_bytes: int = 3 * GIBIBYTE
    output_bytes: int = 16384
    file_bytes: int = 8 * MEBIBYTE
    is_guarded: bool = False


class Job(msgspec.Struct, frozen=True):
    """One call: `package.module:function` or `path/to/file.py:function`, with keyword arguments.

    Arguments and result are encoded as msgpack: tuples arrive as lists, Structs as dictionaries. `limits`
    replaces the limits of the sandbox.
    """

    name: str
    function: str
    arguments: dict[str, object] = {}
    limits: Limits | None = None


class SourceLine(msgspec.Struct, frozen=True):
    """A line of source: path, line number and function."""

    path: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}, in {self.function}"


class Failure(msgspec.Struct, frozen=True):
    """An exception that ended a job.

    `place` is the deepest line of the user's own code, if there is one.
    """

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
    """The function raised an exception, possibly SystemExit."""

    def __str__(self) -> str:
        return f"raised {Failure.__str__(self)}"


class ImportFailed(Failure, frozen=True, tag_field="kind", tag="import_failed"):
    """The module or file of the function could not be imported, or does not define the function."""

    def __str__(self) -> str:
        return f"could not be imported: {Failure.__str__(self)}"


class OutOfMemory(Failure, frozen=True, tag_field="kind", tag="out_of_memory"):
    """An allocation was refused: MemoryError, or the RuntimeError of torch's allocator."""

    def __str__(self) -> str:
        return f"ran out of memory (the limit is probing.memory): {Failure.__str__(self)}"


class NotSerialisable(msgspec.Struct, frozen=True, tag_field="kind", tag="not_serialisable"):
    """The function returned a value that msgpack cannot encode, or that is too large."""

    message: str

    def __str__(self) -> str:
        return f"returned a value that cannot be transferred: {self.message}"


class TimedOut(msgspec.Struct, frozen=True, tag_field="kind", tag="timed_out"):
    """The job exceeded its wall-clock time."""

    seconds: float

    def __str__(self) -> str:
        return f"timed out after {self.seconds:g} s"


class Killed(msgspec.Struct, frozen=True, tag_field="kind", tag="killed"):
    """A signal ended the process.

    After a crash the output ends with the Python stack.
    """

    signal: str

    def __str__(self) -> str:
        return f"was killed by {self.signal}"


class Exited(msgspec.Struct, frozen=True, tag_field="kind", tag="exited"):
    """The process exited without a verdict, with status 0 or another one."""

    status: int

    def __str__(self) -> str:
        return f"exited with status {self.status} and without a verdict"


class ServerDied(msgspec.Struct, frozen=True, tag_field="kind", tag="server_died"):
    """The process that supervises the job died or stopped answering during the job."""

    def __str__(self) -> str:
        return "ended the process that supervised it"


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
    """The resources that the job used, the only part of an outcome that varies between runs of a sound job.

    `seconds` is wall-clock time from ready to verdict. `processor_seconds` and `peak_bytes` (resident) are
    those of the whole process, 0 where the system does not report them.
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_bytes: int = 0


class JobOutcome(msgspec.Struct, frozen=True):
    """The ending of a job, its stage then, the end of its output (stdout and stderr together), its cost.

    `journal` is what the job wrote to the file JOURNAL in its scratch folder, however it ended.
    """

    job: str
    ending: Ending
    stage: Stage
    output: str
    cost: Cost
    journal: bytes = b""

    def __str__(self) -> str:
        during = "" if self.stage == "running" else f" while {self.stage}"
        return f"{self.job} {self.ending}{during}"


class JobRequest(msgspec.Struct, frozen=True):
    """A job as it is sent to the process that runs it, with a folder for its temporary files."""

    job: Job
    limits: Limits
    scratch: str
