"""Conditions on local names, and the facts that decide them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from esper_audit.source.syntax.names import dotted

# Classes without None: builtins, attributes of modules, and names written like a class (`TYPES` is not).
OTHER_BUILTINS = frozenset({"bool", "complex", "type"})
CLASS = re.compile(r"(?!self\.|cls\.)(\w+\.)+\w+|_*[A-Z]\w*[a-z]\w*")
TYPES_OF_NONE = frozenset({"None", "NoneType", "Hashable", "Any", "Optional", "Union"})
# No value is an instance of two of these types.
DISJOINT_TYPES = frozenset(
    {"str", "bytes", "int", "float", "list", "dict", "tuple", "set", "frozenset", "Tensor"}
    | {"torch.Tensor"}
)
TYPE_ALIASES = {"torch.Tensor": "Tensor"}


class Atom(NamedTuple):
    """An atomic proposition about a name, valid until the name is bound again.

    `kind` is "none", "equals" (a constant), "isinstance" (a type), "returned" (the annotated return
    type of a function) or "truth" (of a flag).
    """

    name: str
    kind: str
    what: str = ""


class KnownValue(NamedTuple):
    """The truth of an atom or a condition, and the reason as text."""

    truth: bool
    reason: str


class ConditionFacts:
    """The facts at a place in a function: the truth of atoms, and the possible constants of names."""

    def __init__(
        self,
        atoms: Mapping[Atom, KnownValue] | None = None,
        values: Mapping[str, tuple[frozenset[str], str]] | None = None,
    ) -> None:
        self.atoms = dict(atoms or {})
        self.values = dict(values or {})

    def __bool__(self) -> bool:
        """Return whether anything is known."""
        return bool(self.atoms or self.values)

    def without(self, names: frozenset[str]) -> ConditionFacts:
        """Return the facts that remain when names are bound again."""
        if not names or not self:
            return self
        return ConditionFacts(
            {atom: known for atom, known in self.atoms.items() if atom.name not in names},
            {name: value for name, value in self.values.items() if name not in names},
        )

    def intersection(self, other: ConditionFacts) -> ConditionFacts:
        """Return the facts that hold in both of two branches."""
        known = {
            atom: _merge_reasons(value, other.atoms[atom])
            for atom, value in self.atoms.items()
            if atom in other.atoms and other.atoms[atom].truth == value.truth
        }
        values = {n: v for n, v in self.values.items() if other.values.get(n, ((), ""))[0] == v[0]}
        return ConditionFacts(known, values)

    def with_fact(self, atom: Atom, *, truth: bool, reason: str) -> ConditionFacts:
        """Return the facts with an atom and its consequences, and with the earlier reasons."""
        found = ConditionFacts(self.atoms, self.values)
        new = {atom: KnownValue(truth, reason)}
        if truth and _is_never_none(atom):
            new[Atom(atom.name, "none")] = KnownValue(truth=False, reason=reason)
        for one, known in new.items():
            if one not in found.atoms or found.atoms[one].truth is not known.truth:
                found.atoms[one] = known
        return found

    def truth_of(self, atom: Atom) -> KnownValue | None:
        """Return the truth of an atom, or None if it is unknown."""
        direct = self.atoms.get(atom)
        if direct is not None:
            return direct
        if atom.name in self.values:
            constants, reason = self.values[atom.name]
            truths = {_truth_for(atom, constant) for constant in constants}
            truth = next(iter(truths)) if len(truths) == 1 else None
            return KnownValue(truth, reason) if truth is not None else None
        return self._implied(atom)

    def _implied(self, atom: Atom) -> KnownValue | None:
        is_none = self.atoms.get(Atom(atom.name, "none"))
        if is_none is not None and is_none.truth and _is_never_none(atom):
            return KnownValue(truth=False, reason=is_none.reason)
        for other, value in self.atoms.items():
            truth = _implied_truth(atom, other, value.truth) if other.name == atom.name else None
            if truth is not None:
                return KnownValue(truth, value.reason)
        return None


def _implied_truth(atom: Atom, other: Atom, truth: bool) -> bool | None:
    """Return the truth of an atom that another atom of the same name implies, or None."""
    if other.kind == "returned" and atom.kind == "isinstance":
        return False if _is_disjoint(_parts(atom.what), _parts(other.what)) else None
    if atom.kind != other.kind:
        return None
    if atom.kind == "equals" and truth:
        return False if _is_different(atom.what, other.what) else None
    if atom.kind != "isinstance":
        return None
    types, known = _parts(atom.what), _parts(other.what)
    if truth and known <= types:
        return True
    if not truth and types <= known:
        return False
    return False if truth and _is_disjoint(types, known) else None


def _is_disjoint(some: frozenset[str], others: frozenset[str]) -> bool:
    return some | others <= DISJOINT_TYPES and not some & others


def _merge_reasons(one: KnownValue, other: KnownValue) -> KnownValue:
    """Return a value with the reasons of both branches."""
    if other.reason in one.reason:
        return one
    return (
        other
        if one.reason in other.reason
        else KnownValue(one.truth, f"{one.reason} or {other.reason}")
    )


def _is_never_none(atom: Atom) -> bool:
    """Return whether an atom only holds for values that are not None."""
    if atom.kind != "isinstance":
        return atom.kind in ("equals", "returned", "truth")
    return all(_is_class(part) for part in _parts(atom.what))


def _is_class(name: str) -> bool:
    """Return whether a type name is, judging by its spelling, a class without None."""
    is_class_name = name in DISJOINT_TYPES | OTHER_BUILTINS or CLASS.fullmatch(name) is not None
    return is_class_name and name.rpartition(".")[2] not in TYPES_OF_NONE


@cache
def _parts(types: str) -> frozenset[str]:
    """Return the single types of an `isinstance` argument: of a tuple, a union or one type."""
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
            found.add(TYPE_ALIASES.get(name, name))
    return frozenset(found)


def _is_different(one: str, other: str) -> bool:
    return bool(ast.literal_eval(one) != ast.literal_eval(other))


def _truth_for(atom: Atom, constant: str) -> bool | None:
    """Return the truth of an atom for a constant, or None if the constant does not decide it."""
    value = ast.literal_eval(constant)
    if atom.kind == "none":
        return value is None
    if atom.kind == "equals":
        return bool(value == ast.literal_eval(atom.what))
    return bool(value) if atom.kind == "truth" else None


def atom_of(test: ast.expr) -> tuple[Atom, bool] | None:
    """Return the atom of a condition and whether the condition affirms it, or None."""
    if isinstance(test, ast.Name):
        return Atom(test.id, "truth"), True
    if isinstance(test, ast.Call) and dotted(test.func) == "isinstance" and len(test.args) == 2:
        subject, types = test.args
        if isinstance(subject, ast.Name):
            return Atom(subject.id, "isinstance", ast.unparse(types)), True
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.left, ast.Name):
        return _comparison(test.left.id, test.ops[0], test.comparators[0])
    return None


def subject_of(test: ast.expr) -> tuple[str, str] | None:
    """Return the name and the kind of the atom of a condition, or None."""
    kind = test.__class__
    if kind is ast.Call:
        return _subject_of_type_test(test)  # type: ignore[arg-type]  # a call
    found = atom_of(test) if kind is ast.Name or kind is ast.Compare else None
    return (found[0].name, found[0].kind) if found is not None else None


def _subject_of_type_test(call: ast.Call) -> tuple[str, str] | None:
    is_type_test = len(call.args) == 2 and dotted(call.func) == "isinstance"
    subject = call.args[0] if is_type_test else None
    return (subject.id, "isinstance") if isinstance(subject, ast.Name) else None


def _comparison(name: str, operator: ast.cmpop, right: ast.expr) -> tuple[Atom, bool] | None:
    is_affirmed = isinstance(operator, (ast.Is, ast.Eq))
    if not is_affirmed and not isinstance(operator, (ast.IsNot, ast.NotEq)):
        return None
    if not isinstance(right, ast.Constant):
        return None
    if right.value is None:
        return Atom(name, "none"), is_affirmed
    if isinstance(right.value, (str, int)):
        return Atom(name, "equals", repr(right.value)), is_affirmed
    return None


def known_truth(test: ast.expr, facts: ConditionFacts, flags: frozenset[str]) -> KnownValue | None:
    """Return the truth of a condition with `flags` as names of bools, or None if it is unknown."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = known_truth(test.operand, facts, flags)
        return KnownValue(not inner.truth, inner.reason) if inner is not None else None
    if isinstance(test, ast.BoolOp):
        return _known_truth_of_operands(test, facts, flags)
    found = atom_of(test)
    if found is None:
        return None
    atom, is_affirmed = found
    known = facts.truth_of(atom)
    return KnownValue(known.truth == is_affirmed, known.reason) if known is not None else None


def _known_truth_of_operands(
    test: ast.BoolOp, facts: ConditionFacts, flags: frozenset[str]
) -> KnownValue | None:
    """Return the truth of `a and b` or `a or b`, or None if neither one nor all operands decide it."""
    deciding = isinstance(test.op, ast.Or)
    answers = []
    for operand in test.values:
        answer = known_truth(operand, facts, flags)
        if answer is not None and answer.truth is deciding:
            return answer
        answers.append(answer)
        reason = "one operand decides the other"
        facts = assume(operand, facts, flags, truth=not deciding, reason=reason)
    return answers[-1] if all(answers) and None not in answers else None


def assume(
    test: ast.expr, facts: ConditionFacts, flags: frozenset[str], *, truth: bool, reason: str
) -> ConditionFacts:
    """Return the facts after a condition was true (or false)."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return assume(test.operand, facts, flags, truth=not truth, reason=reason)
    if isinstance(test, ast.BoolOp):
        if isinstance(test.op, ast.And) is truth:
            for operand in test.values:
                facts = assume(operand, facts, flags, truth=truth, reason=reason)
        return facts
    found = atom_of(test)
    if found is None:
        return facts
    atom, is_affirmed = found
    holds = truth is is_affirmed
    if atom.kind == "truth" and not holds and atom.name not in flags:
        return facts  # an empty container may be filled before the next test
    if atom.kind == "truth" and atom.name not in flags:
        return facts.with_fact(Atom(atom.name, "none"), truth=False, reason=reason)
    return facts.with_fact(atom, truth=holds, reason=reason)
