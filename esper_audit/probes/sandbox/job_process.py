"""The process of a job: load the function, call it, write the verdict and exit."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import NoReturn, TextIO, TypeVar

import msgspec

from esper_audit.probes.sandbox.guards import guard_process
from esper_audit.probes.sandbox.outcome import (
    Ending,
    Failure,
    ImportFailed,
    Job,
    JobRequest,
    NotSerialisable,
    OutOfMemory,
    Raised,
    Returned,
    SourceLine,
)
from esper_audit.probes.sandbox.protocol import (
    LENGTH_BYTES,
    MAX_VERDICT_BYTES,
    encode_message,
    write_all,
)
from esper_audit.probes.sandbox.refused_allocation import is_out_of_memory, text_of
from esper_audit.probes.sandbox.rlimits import apply_limits, release_reserve
from esper_audit.project.file_import import import_file
from esper_audit.project.submodules import PACKAGE

LOST_STATUS = 70  # EX_SOFTWARE of sysexits.h, if the verdict could not be written
MESSAGE_CHARACTERS = 2000
TRACEBACK_CHARACTERS = 8000
Failed = TypeVar("Failed", bound=Failure)


def run_and_exit(body: Callable[[], None]) -> NoReturn:
    """Run the body and exit the process even if it raises, so that no code of the parent continues."""
    status = LOST_STATUS
    try:
        body()
        status = 0
    except BaseException:  # noqa: BLE001 - a forked process must not unwind into its parent's frames
        traceback.print_exc()
    finally:
        os._exit(status)


def run_job(request: JobRequest, verdict: int) -> None:
    """Run the job and write its verdict to the pipe `verdict`."""
    me = os.getpid()
    apply_limits(request.limits, for_good=True)
    if request.limits.is_guarded:
        guard_process(request.scratch)
    write_all(verdict, encode_message("importing"))
    data = _job_verdict(request.job, lambda: write_all(verdict, encode_message("running")))
    _flush()
    if os.getpid() == me:  # a function may fork and return in two processes
        write_all(verdict, data)


def _job_verdict(job: Job, loaded: Callable[[], None]) -> bytes:
    try:
        function = load_function(job.function)
    except BaseException as error:  # noqa: BLE001 - whatever an import raises is the result of the job
        return encode_message(_failure(ImportFailed, error))
    loaded()
    try:
        value = function(**job.arguments)
    except BaseException as error:  # noqa: BLE001 - whatever the function raises is the result of the job
        return encode_message(_failure(Raised, error))
    return _encode_value(value)


def _encode_value(value: object) -> bytes:
    """Return a value as an encoded verdict, NotSerialisable if the reader could not decode it."""
    try:
        data = encode_message(Returned(value))
        msgspec.msgpack.decode(memoryview(data)[LENGTH_BYTES:], type=Ending)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        return encode_message(
            NotSerialisable(_clip(f"{type(error).__name__}: {error}", MESSAGE_CHARACTERS))
        )
    except MemoryError as error:
        return encode_message(_failure(OutOfMemory, error))
    if len(data) > MAX_VERDICT_BYTES:
        return encode_message(
            NotSerialisable(f"got {len(data)} bytes, expected at most {MAX_VERDICT_BYTES}")
        )
    return data


def load_function(address: str) -> Callable[..., object]:
    """Return the function at an address, `package.module:function` or `path/to/file.py:function`."""
    origin, _, name = address.rpartition(":")
    found: object = vars(load_module(origin)).get(name)
    if not callable(found):
        raise ImportError(f"{origin} has no function {name!r}")  # noqa: TRY004 - the address is wrong, not a type
    return found


def load_module(origin: str) -> ModuleType:
    """Import a module by name, or a file by its path (`.py`), once."""
    return import_file(origin) if origin.endswith(".py") else importlib.import_module(origin)


def redirect_output(output: int) -> None:
    """Redirect stdout and stderr to a pipe, line by line, with the Python stack after a crash."""
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.stdout, sys.stderr = _line_buffered(1), _line_buffered(2)
    faulthandler.enable(file=2, all_threads=False)


def _line_buffered(descriptor: int) -> TextIO:
    return open(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def use_scratch_folder(scratch: str) -> None:
    """Create temporary files in a folder that the sandbox removes."""
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch))
    tempfile.tempdir = scratch


def limit_torch_threads() -> None:
    """Limit torch, if it is imported, to one thread, because several hang or slow down after a fork."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _failure(kind: type[Failed], error: BaseException) -> Failed | OutOfMemory:
    """Return an exception as the ending of a job."""
    release_reserve()
    trace = traceback.TracebackException.from_exception(error)
    # The first frame is this file's own call.
    trace.stack[:] = [
        frame for frame in trace.stack[1:] if not frame.filename.startswith("<frozen ")
    ]
    text = "".join(trace.format())
    fields = (
        _qualified_name(type(error)),
        _clip(text_of(error), MESSAGE_CHARACTERS),
        _deepest_line(error, trace),
        _clip(text, TRACEBACK_CHARACTERS),
    )
    return OutOfMemory(*fields) if is_out_of_memory(error) else kind(*fields)


def _qualified_name(kind: type[BaseException]) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _clip(text: str, limit: int) -> str:
    """Return a text that can be encoded as UTF-8, with the middle of a long text left out."""
    text = text.encode(errors="backslashreplace").decode()
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"


def _deepest_line(error: BaseException, trace: traceback.TracebackException) -> SourceLine | None:
    """Return the deepest line of the user's own code, else of an installed package, else None."""
    if isinstance(error, SyntaxError) and error.filename:
        return SourceLine(error.filename, error.lineno or 0, "<module>")
    paths = sysconfig.get_paths()
    home, stdlib, installed, binary = (
        os.path.join(path, "")
        for path in (PACKAGE, paths["stdlib"], paths["purelib"], paths["platlib"])
    )
    frames = [frame for frame in trace.stack if not frame.filename.startswith(("<", home))]
    others = [frame for frame in frames if frame.filename.startswith((installed, binary))]
    own = [frame for frame in frames if not frame.filename.startswith((stdlib, installed, binary))]
    if not own and not others:
        return None
    deepest = (own or others)[-1]
    return SourceLine(deepest.filename, deepest.lineno or 0, deepest.name)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # The job may have replaced or closed the stream.
        # esper-audit: allow silent-except -- the verdict is complete, and there is nothing else to report
        with contextlib.suppress(Exception):
            stream.flush()
