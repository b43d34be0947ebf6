"""The rule `state-outside-state-dict`: what a module draws or learns is not in its state dict."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.state import state_outside_state_dict_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.classes.attribute_use import AttributeUse, assigned_attribute
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.state.assigned_values import AssignedValues
from esper_audit.source.idioms.state.learned_values import (
    TENSOR_MAKERS,
    is_averaged,
    is_made_alike,
    is_named_in_pair,
    is_possible_tensor,
    is_tensor_made,
    updates_of,
)
from esper_audit.source.idioms.state.random_values import (
    DRAWING_FUNCTIONS,
    DRAWING_METHODS,
    drawn_in_place,
    draws,
    is_possible_draw,
    is_seeded,
    shuffled,
)
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted
from esper_audit.text.phrases import quoted

ENTRY_POINTS = ("forward", "__call__", "training_step", "encode", "sample")
UPDATED = "is updated by `{}`"
FORWARD_UPDATES = frozenset(map(UPDATED.format, ENTRY_POINTS))
SAVING = frozenset(
    {"state_dict", "get_extra_state", "_save_to_state_dict", "on_save_checkpoint", "__getstate__"}
)


class StateOutsideStateDictOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`caches`: also report what the forward itself updates, which mostly is a cache."""

    caches: bool = False


class StateOutsideStateDict(Rule):
    """What a module draws or learns is not in its state dict.

    What: a plain attribute of an `nn.Module` that `__init__` binds to a tensor and that `forward` reads,
    where the value is drawn at random (also in a function of the file), or is learned: another method
    updates it from its own value (`self.mean = 0.9 * self.mean + ...`, `self.count += 1`, `.lerp_()`).

    Why: `state_dict` holds parameters and buffers alone. A loaded checkpoint has other wires, another
    projection or the statistics of step zero, and `to(device)` leaves the tensor where it was.

    Quiet: parameters and buffers, `persistent=False` included; constants; a draw with a generator or a
    seed of its own; an attribute that each forward, or a `reset`, binds anew, what another package
    makes of a draw, a record that only its recorder reads; what the forward itself updates and that is
    no running average, as keys of an attention and places to work in (option `caches`); classes that
    save by a `state_dict` or `get_extra_state` of their own.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "5 of 5 by readers in 145 packages, after mending on them (pina-mathlab, neuromancer, "
        "recbole, tsai); 0 of 2 in the last 65 unseen packages, before mending on them"
    )
    triggers = Triggers(
        nodes=frozenset({"Assign", "AnnAssign"}),
        collected=frozenset({"ClassDef"}),
        words=DRAWING_FUNCTIONS | DRAWING_METHODS | TENSOR_MAKERS,
    )

    options: StateOutsideStateDictOptions
    Options = StateOutsideStateDictOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep assignments to an attribute of one name."""
        return [node for node in nodes if assigned_attribute(node) is not None]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report an attribute at the place where `__init__` binds it."""
        attribute = assigned_attribute(node)
        functions = file.functions(attribute) if attribute is not None else []
        if attribute is None or not functions:
            return
        value = node.value  # type: ignore[attr-defined]  # it is an assignment
        if not _may_be_state(value, functions[-1], file):
            return
        table = file.once(class_table)
        owner = table.owner(functions[-1])
        found = table.members(owner).bound.get(attribute.attr, ()) if owner is not None else ()
        use = next((use for use in found if use.node is attribute), None)
        if owner is None or use is None or use.value is None:
            return
        family = table.family(owner)
        heirs = [family, *map(table.family, table.subclasses(owner))]
        if functions[-1] not in family.reached_from("__init__") or not _is_read(use, heirs):
            return
        why = _reason(use, family, file)
        is_cache = why in FORWARD_UPDATES and not is_averaged(use.name, family)
        if is_cache and not self.options.caches:
            return
        if why and table.is_module(owner) and not _is_saved(attribute.attr, family):
            message = (
                f"`{dotted(attribute)}` {why}, is read by the forward and is not in the state dict"
            )
            yield Violation(attribute, f"{message}. {_advice(use.value)}")


def _advice(value: ast.expr) -> str:
    """Return the repair: what is made with gradients is to be trained."""
    is_trained = any(
        k.arg == "requires_grad" and isinstance(k.value, ast.Constant) and k.value.value is True
        for call in walk(value)
        if isinstance(call, ast.Call)
        for k in call.keywords
    )
    return "Make it an nn.Parameter." if is_trained else "Register it as a buffer."


def _may_be_state(value: ast.expr, function: Function, file: FileView) -> bool:
    """Return whether a value can be a tensor: a constant, a text or a function is none."""
    is_repeated = isinstance(value, ast.BinOp) and isinstance(value.left, ast.List)
    if is_repeated or isinstance(value, (ast.Constant, ast.JoinedStr, ast.Lambda, ast.Compare)):
        return False
    held = file.once(AssignedValues).held(value, function)
    is_shuffled = held is not value and "shuffle(" in file.source.text
    if dotted(held):
        return is_shuffled  # a name calls nothing
    return is_shuffled or is_possible_tensor(held) or is_possible_draw(held, file)


def _is_module_of_file(value: ast.AST, file: FileView) -> bool:
    """Return whether a value is made by a module class of the file, which registers what it gets."""
    value = value.body if isinstance(value, ast.IfExp) else value
    table = file.once(class_table)
    made = table.by_name.get(dotted(value.func)) if isinstance(value, ast.Call) else None
    return made is not None and table.is_module(made)


def _reason(use: AttributeUse, family: ClassFamily, file: FileView) -> str:
    """Return how an attribute comes to its value, empty if it is a constant or bound anew."""
    value = use.value or use.node
    if _is_module_of_file(value, file):
        return ""
    value = file.once(AssignedValues).held(value, use.method)
    is_tensor = is_tensor_made(value, file)
    drawn = draws(value, file) or shuffled(use, file)
    if drawn is None and is_tensor:
        drawn = drawn_in_place(use, file)
    if drawn is None and not is_tensor:
        return ""
    bound = [other for other in family.bindings(use.name) if other.node is not use.node]
    built = family.reached_from("__init__")
    updates = [method for method in updates_of(use.name, family) if method not in built]
    if drawn is not None and not bound and not is_seeded(use.method) and not updates:
        return f"is drawn at random (`{quoted(file.code(drawn))}`)"
    is_reset = any(
        other.value is not None
        and (is_tensor_made(other.value, file) or is_made_alike(other.value))
        for other in bound
        if other.method not in built
    )
    if is_tensor and updates and not is_reset and all(o.method in updates for o in bound):
        return UPDATED.format(updates[0].name)
    return ""


def _is_read(use: AttributeUse, families: Sequence[ClassFamily]) -> bool:
    """Return whether the forward of a class, or of one derived from it, reads an attribute."""
    for family in families:
        # A helper that records into the attribute reads it for its size alone.
        recording = [m for m in updates_of(use.name, family) if m.name not in ENTRY_POINTS]
        reached = [m for m in family.reached_from(*ENTRY_POINTS) if m not in recording]
        if any(read.method in reached for read in family.reads(use.name)):
            return True
    return False


def _is_saved(name: str, family: ClassFamily) -> bool:
    """Return whether a class saves by methods of its own, or registers the attribute elsewhere."""
    is_saving = any(family.method(saving) is not None for saving in SAVING)
    if is_saving or any(isinstance(use.node, ast.Call) for use in family.bindings(name)):
        return True
    return any(
        is_named_in_pair(node, name)
        for m in family.members
        for node in scan(m.definition, {ast.Tuple})
    )
