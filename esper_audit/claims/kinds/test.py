"""Answers the claim `test`: a pytest node passes."""

from __future__ import annotations

import os

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need, PytestRun
from esper_audit.claims.pytest_run import NodeResult
from esper_audit.claims.records import PytestClaim
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted, stale
from esper_audit.text.markdown import count


def needs(claim: PytestClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return the node to run if its file exists."""
    return (PytestRun(claim.node),) if _has_file(claim, context) else ()


def answer(claim: PytestClaim, context: ClaimContext) -> Reply:
    """Return whether the node passed."""
    path = _path(claim)
    if not _has_file(claim, context):
        return stale(f"there is no file {path}")
    result = context.node_result(claim.node)
    return result if isinstance(result, Reply) else _reply(result, path)


def _path(claim: PytestClaim) -> str:
    return claim.node.partition("::")[0]


def _has_file(claim: PytestClaim, context: ClaimContext) -> bool:
    return os.path.exists(os.path.join(context.root, _path(claim)))


def _reply(result: NodeResult, path: str) -> Reply:
    if result.problem:
        return cannot_tell(result.problem, path)
    if result.failed:
        more = f" (and {len(result.failed) - 1} more)" if len(result.failed) > 1 else ""
        return refuted(f"fails: {result.failed[0]}{more}", path)
    if result.skipped and not result.passed:
        return cannot_tell(f"skipped: {result.skipped[0]}", path)
    if not result.passed:
        return stale("pytest collects nothing under that name", path)
    skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
    return holds(f"{count(result.passed, 'test')} passed{skipped}", path)
