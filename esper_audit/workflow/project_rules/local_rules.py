"""Require that the cases of the project's own rules hold before a check relies on those rules."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

import msgspec

from esper_audit.findings.errors import RuleLoadError
from esper_audit.project.config import Project
from esper_audit.project.content_cache import ContentCache
from esper_audit.project.engine_fingerprint import content_digest, package_fingerprint
from esper_audit.project.workers.limited_work import is_too_long
from esper_audit.rules.registry import RuleRegistry
from esper_audit.workflow.project_rules.rule_cases import CaseResult, local_checks, run_cases

START_SECONDS = 5.0  # of an interpreter, which imports the rules
LOOK_SECONDS = 0.2  # between two looks at a process that runs cases
BOOTSTRAP = (
    "import sys; sys.path[:] = {path!r}; from {module} import serve_results; "
    "serve_results({rules!r}, {file!r})"
)
Results = list[CaseResult]


def require_passing_cases(project: Project, *, cache: bool) -> None:
    """Raise RuleLoadError for the first local rule one of whose cases fails.

    The cases of a file may cost as much as a checked file. A rule that raises, or does not end, is left to
    the check, which reports it on each file.
    """
    if not project.local_rules:
        return
    registry = RuleRegistry(project.local_rules)
    known = ContentCache(project.root, "cases", package_fingerprint(), Results, enabled=cache)
    for path in project.local_rules:
        with open(path, "rb") as file:
            digest = content_digest(file.read())
        results = known.get(path, digest)
        if results is None:
            can_fork = "fork" in vars(os)
            seconds = project.config.checking.seconds
            results = (
                _results_in_child(registry, path, seconds)
                if can_fork
                else _results_in_interpreter(project.local_rules, path, seconds)
            )
            if results is not None:
                known.put(path, digest, results)
        _require_passed(path, results or [])
    known.save(keep=set(project.local_rules))


def _require_passed(path: str, results: Results) -> None:
    failed = [result for result in results if not result.has_passed and not result.raised]
    if not failed:
        return
    first = failed[0]
    detail = first.problem or (
        f"got {'; '.join(first.found) or 'no finding'}, "
        f"expected {'; '.join(first.expected) or 'no finding'}"
    )
    raise RuleLoadError(
        f"rule file {path}: {len(failed)} of {len(results)} cases of its rules fail, such as the "
        f"{first.part} case '{first.name}' of {first.rule} ({detail}). "
        f"Run `esper-audit rule --test {path}`."
    )


def _results_in_child(registry: RuleRegistry, path: str, seconds: float) -> Results | None:
    """Return the results of a file's rules from a process of its own, None if it fails or takes too long."""
    reader, writer = os.pipe()
    child, start = os.fork(), time.monotonic()
    if child == 0:
        os.close(reader)
        _write_results(registry, path, writer)
    os.close(writer)
    data, is_over = b"", False
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while not is_over and not is_too_long(child, time.monotonic() - start, seconds):
            if select.select([pipe], [], [], min(LOOK_SECONDS, seconds))[0]:
                piece = pipe.read(1 << 16)
                data, is_over = data + piece, not piece
    if not is_over:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        return msgspec.msgpack.decode(data, type=Results)
    except msgspec.DecodeError:
        return None


def _results_in_interpreter(local_rules: list[str], path: str, seconds: float) -> Results | None:
    """Return the results of a file's rules from a new interpreter, None if it fails or takes too long."""
    code = BOOTSTRAP.format(path=sys.path, module=__name__, rules=local_rules, file=path)
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, no shell
            [sys.executable, "-P", "-c", code],
            capture_output=True,
            timeout=START_SECONDS + seconds,
            check=False,
        )
        return msgspec.msgpack.decode(done.stdout, type=Results)
    except (subprocess.TimeoutExpired, msgspec.DecodeError):
        return None


def serve_results(local_rules: list[str], path: str) -> None:
    """Write the results of a file's rules to standard output, without what the rules print."""
    with os.fdopen(os.dup(1), "wb") as pipe:
        os.dup2(2, 1)
        pipe.write(_encoded_results(RuleRegistry(local_rules), path))


def _encoded_results(registry: RuleRegistry, path: str) -> bytes:
    """Run the cases of a file's rules, and return their results encoded."""
    results = [r for check in local_checks(registry, path) for r in run_cases(check)]
    return msgspec.msgpack.encode(results)


def _write_results(registry: RuleRegistry, path: str, writer: int) -> None:
    """Write the results of a file's rules to a pipe and exit, without their output on the terminal."""
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        results = _encoded_results(registry, path)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(results)
        status = 0
    finally:
        os._exit(status)
