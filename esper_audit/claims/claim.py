"""What a claim is: a sentence of a ticket with a query that is asked again today."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need
from esper_audit.claims.reply import Answer, Reply, Text


class Claim(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
):
    """A sentence of a ticket and how to ask whether it is so; each kind adds the keys of its query.

    A claim that *states the defect* holds as long as the defect is there. Any other one is evidence
    for the ticket and is expected to hold, unless `expect` says what is known of it: the claim of a
    reviewer that turned out false stays on record with `expect: refuted`.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
    sentence: Text
    states_defect: bool = False
    expect: Answer | None = None

    @property
    def kind(self) -> str:
        """The name of the kind, as it stands in the file."""
        return str(type(self).__struct_config__.tag)

    def require(self, *, told: bool, wanted: str) -> None:
        """Refuse a query that means nothing, when it is read."""
        if not told:
            raise ValueError(f"claim {self.id} ({self.kind}): {wanted}")

    def needs(self, context: ClaimContext) -> Iterable[Need]:
        """Return what has to be run before the question can be answered; static kinds need nothing."""
        return ()

    def answer(self, context: ClaimContext) -> Reply:
        """Ask."""
        raise NotImplementedError
