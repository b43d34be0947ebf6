"""The contracts, which are read from `contracts.yaml` and which checks refer to by id."""

from __future__ import annotations

import os

import msgspec

from esper_audit.findings.errors import ContractError
from esper_audit.findings.finding import Category

SHIPPED_CONTRACTS = os.path.join(os.path.dirname(__file__), "contracts.yaml")


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence that must hold, the reason for it, and the tickets that raised it."""

    id: str
    statement: str
    why: str
    category: Category
    tickets: list[str]


def load_contracts(own_file: str = "") -> dict[str, Contract]:
    """Return the shipped contracts, then those of a project's own file, by id in the order of the files.

    Raises ContractError for an invalid file or a duplicate id.
    """
    contracts = _read(SHIPPED_CONTRACTS)
    for contract in _read(own_file).values() if own_file else ():
        if contract.id in contracts:
            raise ContractError(
                f"{own_file}: duplicate contract id (got '{contract.id}'). Use another id."
            )
        contracts[contract.id] = contract
    return contracts


def _read(file: str) -> dict[str, Contract]:
    import yaml

    try:
        with open(file, encoding="utf-8") as stream:
            listed = msgspec.convert(yaml.load(stream, Loader=yaml.CSafeLoader), list[Contract])
    except OSError as error:
        raise ContractError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ContractError(f"{file}: {error}") from error
    contracts: dict[str, Contract] = {}
    for contract in listed:
        if contract.id in contracts:
            raise ContractError(f"{file}: duplicate contract id (got '{contract.id}')")
        contracts[contract.id] = contract
    return contracts
