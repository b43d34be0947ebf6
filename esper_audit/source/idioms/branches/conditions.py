"""What a condition says of local names, and what is known of it once others have been passed."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from esper_audit.source.syntax.names import dotted

# Classes that None is none of: builtins, what a module has, and what is written as a class is (TYPES is not).
PLAIN_TYPES = frozenset({"bool", "complex", "type"})
CLASS = re.compile(r"(?!self\.|cls\.)(\w+\.)+\w+|_*[A-Z]\w*[a-z]\w*")
OF_NONE = frozenset({"None", "NoneType", "Hashable", "Any", "Optional", "Union"})
# No value is of two of these: their layouts exclude each other.
APART = frozenset(
    {"str", "bytes", "int", "float", "list", "dict", "tuple", "set", "frozenset", "Tensor"}
    | {"torch.Tensor"}
)
SAME = {"torch.Tensor": "Tensor"}


class Atom(NamedTuple):
    """Something that holds of a name or not, for as long as the name is not bound again.

    `kind` is "none", "equals" (a constant), "isinstance" (a type), "returned" (a type that a function is
    annotated with) or "truth" (of a flag).
    """

    name: str
    kind: str
    what: str = ""


class KnownValue(NamedTuple):
    """Whether an atom holds, and where that was told, for a person."""

    truth: bool
    reason: str


class ConditionFacts:
    """What is known at a place: atoms with their truth, and names that can only have some constants."""

    def __init__(
        self,
        known: Mapping[Atom, KnownValue] | None = None,
        values: Mapping[str, tuple[frozenset[str], str]] | None = None,
    ) -> None:
        self.known = dict(known or {})
        self.values = dict(values or {})

    def without(self, names: frozenset[str]) -> ConditionFacts:
        """Return what stays known when names are bound again."""
        return ConditionFacts(
            {atom: known for atom, known in self.known.items() if atom.name not in names},
            {name: value for name, value in self.values.items() if name not in names},
        )

    def both(self, other: ConditionFacts) -> ConditionFacts:
        """Return what is known whichever of two ways was taken."""
        known = {
            atom: _either(told, other.known[atom])
            for atom, told in self.known.items()
            if atom in other.known and other.known[atom].truth == told.truth
        }
        values = {n: v for n, v in self.values.items() if other.values.get(n, ((), ""))[0] == v[0]}
        return ConditionFacts(known, values)

    def having(self, atom: Atom, *, truth: bool, reason: str) -> ConditionFacts:
        """Return the facts with one more, and what follows from it; who said so first stays the reason."""
        found = ConditionFacts(self.known, self.values)
        told = {atom: KnownValue(truth, reason)}
        if truth and _excludes_none(atom):
            told[Atom(atom.name, "none")] = KnownValue(truth=False, reason=reason)
        for one, known in told.items():
            if one not in found.known or found.known[one].truth is not known.truth:
                found.known[one] = known
        return found

    def told(self, atom: Atom) -> KnownValue | None:
        """Return whether an atom holds, if that is known."""
        direct = self.known.get(atom)
        if direct is not None:
            return direct
        if atom.name in self.values:
            constants, reason = self.values[atom.name]
            truths = {_holds(atom, constant) for constant in constants}
            truth = next(iter(truths)) if len(truths) == 1 else None
            return KnownValue(truth, reason) if truth is not None else None
        return self._implied(atom)

    def _implied(self, atom: Atom) -> KnownValue | None:
        is_none = self.known.get(Atom(atom.name, "none"))
        if is_none is not None and is_none.truth and _excludes_none(atom):
            return KnownValue(truth=False, reason=is_none.reason)
        for other, told in self.known.items():
            truth = _follows(atom, other, told.truth) if other.name == atom.name else None
            if truth is not None:
                return KnownValue(truth, told.reason)
        return None


def _follows(atom: Atom, other: Atom, truth: bool) -> bool | None:
    """Return what one atom of a name says of another of the same kind; None for nothing."""
    if other.kind == "returned" and atom.kind == "isinstance":
        return False if _are_apart(_parts(atom.what), _parts(other.what)) else None
    if atom.kind != other.kind:
        return None
    if atom.kind == "equals" and truth:
        return False if _differ(atom.what, other.what) else None
    if atom.kind != "isinstance":
        return None
    asked, known = _parts(atom.what), _parts(other.what)
    if truth and known <= asked:
        return True
    if not truth and asked <= known:
        return False
    return False if truth and _are_apart(asked, known) else None


def _are_apart(some: frozenset[str], others: frozenset[str]) -> bool:
    return some | others <= APART and not some & others


def _either(one: KnownValue, other: KnownValue) -> KnownValue:
    """Return what two ways have both told, with the reasons of both."""
    if other.reason in one.reason:
        return one
    return (
        other
        if one.reason in other.reason
        else KnownValue(one.truth, f"{one.reason} or {other.reason}")
    )


def _excludes_none(atom: Atom) -> bool:
    """Return whether what an atom holds of is not None."""
    if atom.kind != "isinstance":
        return atom.kind in ("equals", "returned", "truth")
    return all(_is_class(part) for part in _parts(atom.what))


def _is_class(name: str) -> bool:
    """Return whether a word of `isinstance` is a class that None is not of, as far as its spelling tells."""
    is_spelled_so = name in APART | PLAIN_TYPES or CLASS.fullmatch(name) is not None
    return is_spelled_so and name.rpartition(".")[2] not in OF_NONE


@cache
def _parts(types: str) -> frozenset[str]:
    """Return the types that `isinstance` is asked of: those of a tuple, or of a union, each."""
    pending = [ast.parse(types, mode="eval").body]
    found = set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Tuple):
            pending += node.elts
        elif isinstance(node, ast.BinOp):
            pending += [node.left, node.right]
        else:
            name = ast.unparse(node)
            found.add(SAME.get(name, name))
    return frozenset(found)


def _differ(one: str, other: str) -> bool:
    return bool(ast.literal_eval(one) != ast.literal_eval(other))


def _holds(atom: Atom, constant: str) -> bool | None:
    """Return whether an atom holds of a constant; None where that is not told by it."""
    value = ast.literal_eval(constant)
    if atom.kind == "none":
        return value is None
    if atom.kind == "equals":
        return bool(value == ast.literal_eval(atom.what))
    return bool(value) if atom.kind == "truth" else None


def atom_of(test: ast.expr) -> tuple[Atom, bool] | None:
    """Return the atom of a condition and what the condition says of it."""
    if isinstance(test, ast.Name):
        return Atom(test.id, "truth"), True
    if isinstance(test, ast.Call) and dotted(test.func) == "isinstance" and len(test.args) == 2:
        subject, types = test.args
        if isinstance(subject, ast.Name):
            return Atom(subject.id, "isinstance", ast.unparse(types)), True
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.left, ast.Name):
        return _comparison(test.left.id, test.ops[0], test.comparators[0])
    return None


def _comparison(name: str, operator: ast.cmpop, right: ast.expr) -> tuple[Atom, bool] | None:
    says = isinstance(operator, (ast.Is, ast.Eq))
    if not says and not isinstance(operator, (ast.IsNot, ast.NotEq)):
        return None
    if not isinstance(right, ast.Constant):
        return None
    if right.value is None:
        return Atom(name, "none"), says
    if isinstance(right.value, (str, int)):
        return Atom(name, "equals", repr(right.value)), says
    return None


def told(test: ast.expr, facts: ConditionFacts, flags: frozenset[str]) -> KnownValue | None:
    """Return whether a condition holds, if what is known tells; `flags` are names that are always bools."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = told(test.operand, facts, flags)
        return KnownValue(not inner.truth, inner.reason) if inner is not None else None
    if isinstance(test, ast.BoolOp):
        return _told_of_several(test, facts, flags)
    found = atom_of(test)
    if found is None:
        return None
    atom, says = found
    known = facts.told(atom)
    return KnownValue(known.truth == says, known.reason) if known is not None else None


def _told_of_several(
    test: ast.BoolOp, facts: ConditionFacts, flags: frozenset[str]
) -> KnownValue | None:
    """Return whether `a and b`, `a or b` holds: one operand may decide, else all have to be known."""
    deciding = isinstance(test.op, ast.Or)
    answers = []
    for operand in test.values:
        answer = told(operand, facts, flags)
        if answer is not None and answer.truth is deciding:
            return answer
        answers.append(answer)
        reason = "one part of it decides the other"
        facts = assumed(operand, facts, flags, truth=not deciding, reason=reason)
    return answers[-1] if all(answers) and None not in answers else None


def assumed(
    test: ast.expr, facts: ConditionFacts, flags: frozenset[str], *, truth: bool, reason: str
) -> ConditionFacts:
    """Return the facts where a condition has been found true, or false."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return assumed(test.operand, facts, flags, truth=not truth, reason=reason)
    if isinstance(test, ast.BoolOp):
        if isinstance(test.op, ast.And) is truth:
            for operand in test.values:
                facts = assumed(operand, facts, flags, truth=truth, reason=reason)
        return facts
    found = atom_of(test)
    if found is None:
        return facts
    atom, says = found
    holds = truth is says
    if atom.kind == "truth" and not holds and atom.name not in flags:
        return facts  # what is empty now may be filled before the next question
    if atom.kind == "truth" and atom.name not in flags:
        return facts.having(Atom(atom.name, "none"), truth=False, reason=reason)
    return facts.having(atom, truth=holds, reason=reason)
