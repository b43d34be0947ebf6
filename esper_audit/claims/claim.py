"""The keys that every claim has: its id, its sentence and the answer that the ticket expects."""

from __future__ import annotations

from typing import Annotated

import msgspec

from esper_audit.claims.reply import Answer, Text


class Claim(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
):
    """A sentence of a ticket with a query.

    Each kind adds the keys of its query. A claim that *states the defect* holds as long as the defect
    is present. Any other claim is evidence for the ticket and is expected to hold unless `expect` names
    another answer: a reviewer's claim that turned out to be false stays on record with
    `expect: refuted`.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
    sentence: Text
    states_defect: bool = False
    expect: Answer | None = None

    @property
    def kind(self) -> str:
        """The name of the kind, the value of the key `kind` in the file."""
        return str(type(self).__struct_config__.tag)

    def require(self, *, is_met: bool, requirement: str) -> None:
        """Raise ValueError with the requirement on the query unless it is met."""
        if not is_met:
            raise ValueError(f"claim {self.id} ({self.kind}): {requirement}")
