"""The claim `test`: a pytest node passes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from esper_audit.claims.claim import Claim
from esper_audit.claims.needs import Need, NodeId, TestRun
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted, stale
from esper_audit.text.markdown import count

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext
    from esper_audit.claims.pytest_run import NodeResult


class TestClaim(Claim, frozen=True, kw_only=True, tag="test"):
    """A file of tests, a test in it, or one of its cases passes; `path::name`, as pytest names it.

    A node that collects nothing is stale; one that is skipped, does not load or does not end is not told.
    """

    __test__ = False  # it is no test itself, though its name begins like one

    node: NodeId

    def needs(self, context: ClaimContext) -> Iterable[Need]:
        """Wish for the node to be run, if its file is there."""
        return (TestRun(self.node),) if self._is_there(context) else ()

    def answer(self, context: ClaimContext) -> Reply:
        """Read how it went."""
        if not self._is_there(context):
            return stale(f"there is no file {self._path}")
        told = context.tested(self.node)
        return told if isinstance(told, Reply) else _judged(told, self._path)

    @property
    def _path(self) -> str:
        return self.node.partition("::")[0]

    def _is_there(self, context: ClaimContext) -> bool:
        return os.path.exists(os.path.join(context.root, self._path))


def _judged(told: NodeResult, path: str) -> Reply:
    if told.problem:
        return cannot_tell(told.problem, path)
    if told.failed:
        more = f" (and {len(told.failed) - 1} more)" if len(told.failed) > 1 else ""
        return refuted(f"fails: {told.failed[0]}{more}", path)
    if told.skipped and not told.passed:
        return cannot_tell(f"skipped: {told.skipped[0]}", path)
    if not told.passed:
        return stale("pytest collects nothing under that name", path)
    skipped = f", {len(told.skipped)} skipped" if told.skipped else ""
    return holds(f"{count(told.passed, 'test')} passed{skipped}", path)
