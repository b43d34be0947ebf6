"""The contracts that checks refer to by id, read from `contracts.yaml`, and the profiles that adopt them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from esper_audit.findings.errors import ContractError, reason_of
from esper_audit.findings.finding import Category

ContractKind: TypeAlias = Literal["universal", "policy"]
Profile: TypeAlias = Literal["default", "strict"]

# A contract whose kind a profile names is in force. Further policies are adopted one by one.
PROFILES: Mapping[Profile, frozenset[ContractKind]] = {
    "default": frozenset({"universal"}),
    "strict": frozenset({"universal", "policy"}),
}
SHIPPED_CONTRACTS = os.path.join(os.path.dirname(__file__), "contracts.yaml")


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A testable statement about a code base, its reason, and the tickets that led to it.

    A universal contract holds in every program. A policy is a project's own law: it is checked where the
    project adopts it.
    """

    id: str
    statement: str
    why: str
    category: Category
    tickets: list[str]
    kind: ContractKind = "universal"


def load_contracts(own_file: str = "") -> dict[str, Contract]:
    """Return the shipped contracts, then those of a project's own file, by id in file order.

    Raise ContractError if a file is unreadable or invalid, or an id is not unique.
    """
    return with_own_contracts(_read(SHIPPED_CONTRACTS), own_file)


def with_own_contracts(shipped: Mapping[str, Contract], own_file: str) -> dict[str, Contract]:
    """Return the shipped contracts, then those of a project's own file, which may be empty.

    Raise ContractError if the file is unreadable or invalid, or an id is not unique.
    """
    contracts = dict(shipped)
    for contract in _read(own_file).values() if own_file else ():
        if contract.id in contracts:
            raise ContractError(
                f"{own_file}: duplicate contract id '{contract.id}' (shipped with esper-audit). Use another id."
            )
        contracts[contract.id] = contract
    return contracts


def _read(file: str) -> dict[str, Contract]:
    import yaml

    try:
        with open(file, encoding="utf-8") as stream:
            listed = msgspec.convert(yaml.load(stream, Loader=yaml.CSafeLoader), list[Contract])
    except RecursionError as error:
        raise ContractError(
            f"{file}: lists or mappings are nested too deep. Flatten them."
        ) from error
    except OSError as error:
        raise ContractError(f"{file}: cannot be read: {reason_of(error)}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ContractError(f"{file}: {' '.join(str(error).split())}") from error
    contracts = {contract.id: contract for contract in listed}
    if len(contracts) != len(listed):
        raise ContractError(
            f"{file}: duplicate contract id '{_first_duplicate(listed)}'. Use another id."
        )
    return contracts


def _first_duplicate(listed: list[Contract]) -> str:
    ids = [contract.id for contract in listed]
    return next(one for one in ids if ids.count(one) > 1)
