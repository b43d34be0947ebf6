"""What happens inside the process that does a job: find the function, call it, say how it ended, leave."""

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
from esper_audit.probes.sandbox.protocol import LENGTH_BYTES, MAX_VERDICT_BYTES, framed, write_all
from esper_audit.probes.sandbox.rlimits import allow_report, impose
from esper_audit.project.file_import import import_file
from esper_audit.project.submodules import PACKAGE

LOST_STATUS = 70  # the verdict could not be delivered; EX_SOFTWARE of sysexits.h
MESSAGE_CHARACTERS = 2000
TRACEBACK_CHARACTERS = 8000
CAUSES_FOLLOWED = 8  # a chain of causes may bite its own tail
ALLOCATOR_PHRASES = ("DefaultCPUAllocator", "std::bad_alloc", "Cannot allocate memory")
Failed = TypeVar("Failed", bound=Failure)


def never_return(body: Callable[[], None]) -> NoReturn:
    """Run the body and leave the process, whatever happens: nothing of the parent's code may run on here."""
    status = LOST_STATUS
    try:
        body()
        status = 0
    except BaseException:  # noqa: BLE001 - a forked process must not unwind into its parent's frames
        traceback.print_exc()
    finally:
        os._exit(status)


def do(request: JobRequest, verdict: int) -> None:
    """Do the job and write its verdict to the pipe `verdict`."""
    me = os.getpid()
    impose(request.limits, for_good=True)
    write_all(verdict, framed("importing"))
    data = _verdict(request.job, lambda: write_all(verdict, framed("running")))
    _flush()
    if os.getpid() == me:  # a function may fork and return twice
        write_all(verdict, data)


def _verdict(job: Job, loaded: Callable[[], None]) -> bytes:
    try:
        function = _load_function(job.function)
    except BaseException as error:  # noqa: BLE001 - whatever an import raises is the result of the job
        return framed(_failure(ImportFailed, error))
    loaded()
    try:
        value = function(**job.arguments)
    except BaseException as error:  # noqa: BLE001 - whatever the function raises is the result of the job
        return framed(_failure(Raised, error))
    return _returned(value)


def _returned(value: object) -> bytes:
    """Encode a value; what could not be decoded at the other end is not serialisable."""
    try:
        data = framed(Returned(value))
        msgspec.msgpack.decode(memoryview(data)[LENGTH_BYTES:], type=Ending)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        return framed(
            NotSerialisable(_clip(f"{type(error).__name__}: {error}", MESSAGE_CHARACTERS))
        )
    except MemoryError as error:
        return framed(_failure(OutOfMemory, error))
    if len(data) > MAX_VERDICT_BYTES:
        return framed(NotSerialisable(f"{len(data)} bytes, wanted at most {MAX_VERDICT_BYTES}"))
    return data


def _load_function(address: str) -> Callable[..., object]:
    origin, _, name = address.rpartition(":")
    found: object = vars(load_module(origin)).get(name)
    if not callable(found):
        raise ImportError(f"{origin} holds no function {name!r}")  # noqa: TRY004 - the address is wrong, not a type
    return found


def load_module(origin: str) -> ModuleType:
    """Import a module by name, or a file by its path (`.py`), once."""
    return import_file(origin) if origin.endswith(".py") else importlib.import_module(origin)


def redirect(output: int) -> None:
    """Send stdout and stderr to a pipe, line by line, and the Python stack of a crash with them."""
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.stdout, sys.stderr = _line_by_line(1), _line_by_line(2)
    faulthandler.enable(file=2, all_threads=False)


def _line_by_line(descriptor: int) -> TextIO:
    return open(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def use_scratch(scratch: str) -> None:
    """Put temporary files where the sandbox will remove them."""
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch))
    tempfile.tempdir = scratch


def quieten_torch() -> None:
    """Keep torch, where it has been imported, to one thread: more of them hang or crawl after a fork."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _failure(kind: type[Failed], error: BaseException) -> Failed | OutOfMemory:
    """Put an exception into words."""
    allow_report()
    trace = traceback.TracebackException.from_exception(error)
    # The first frame is this file's own call.
    trace.stack[:] = [
        frame for frame in trace.stack[1:] if not frame.filename.startswith("<frozen ")
    ]
    text = "".join(trace.format())
    words = (
        _name(type(error)),
        _message(error),
        _place(error, trace),
        _clip(text, TRACEBACK_CHARACTERS),
    )
    return OutOfMemory(*words) if _is_out_of_memory(error) else kind(*words)


def _is_out_of_memory(error: BaseException | None) -> bool:
    for _ in range(CAUSES_FOLLOWED):
        refused = isinstance(error, (RuntimeError, OSError)) and any(
            phrase in _message(error) for phrase in ALLOCATOR_PHRASES
        )
        if refused or isinstance(error, MemoryError):
            return True
        error = error.__cause__ if error is not None else None
    return False


def _name(kind: type[BaseException]) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    # esper-audit: allow silent-except -- the answer says what failed, and the error itself is reported
    except Exception:  # noqa: BLE001 - the words of a foreign exception are foreign code
        text = "(its message cannot be shown: str() of it raises)"
    return _clip(text, MESSAGE_CHARACTERS)


def _clip(text: str, limit: int) -> str:
    """Cut a long text in the middle, and make it one that can be encoded."""
    text = text.encode(errors="backslashreplace").decode()
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"


def _place(error: BaseException, trace: traceback.TracebackException) -> SourceLine | None:
    """Return the deepest line outside this package, the standard library and, if any, installed packages."""
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
        # What stands there now may be the job's own, or closed.
        # esper-audit: allow silent-except -- the verdict is sent already, and nothing else is left to tell
        with contextlib.suppress(Exception):
            stream.flush()
