"""The rule `saved-state-not-restored`: a resumed run leaves out a part of what was saved."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.state import saved_state_not_restored_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.state.saved_objects import (
    LOADING,
    Restored,
    SavedState,
    gets_unused_optimizer,
    is_loader,
    is_of_training,
    is_written_key,
    restored_states,
    same_home,
    saved_states,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name, text_of


class SavedStateNotRestored(Rule):
    """A resumed run leaves out a part of what was saved.

    What: a function saves the state of an optimizer, a scheduler or a gradient scaler under a key, and the
    function of the same class or module that loads the checkpoint restores the model and another part of
    the run (one of these, or a counter on the object), or is given the optimizer, while no code of the
    file reads that key.

    Why: the moments start at zero, or the schedule from its beginning. The loss jumps at each resume, and
    a run in pieces ends elsewhere than a run in one piece, without an error.

    Quiet: loaders for inference, which restore the model alone; a key that the file reads anywhere; an
    object that is restored by another key; a checkpoint that is handed on.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 in about 250 packages, 50 files of which save and restore a part of a run by keys"
    )
    triggers = Triggers(calls=frozenset({LOADING}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the first object that a loader restores where it forgets another one."""
        functions = file.functions(node) if isinstance(node, ast.Call) else []
        if not functions or not is_loader(functions[-1], file):
            return
        restored = restored_states(functions[-1])
        if not restored or restored[0].call is not node:
            return
        for saver in file.once(LocalCalls).functions:
            if saver is functions[-1] or not same_home(saver, functions[-1], file):
                continue
            saved = saved_states(saver, file)
            lost = _lost_state(saved, file)
            if lost is not None and _resumes(functions[-1], restored, saved, file):
                yield Violation(node, _message(lost, saver))
                return


def _message(lost: SavedState, saver: Function) -> str:
    return (
        f"`{saver.name}` saves `{text_of(lost.owner)}` as {lost.key!r}, and nothing restores it: a resumed run "
        f"begins it anew. Restore it here"
    )


def _lost_state(saved: list[SavedState], file: FileView) -> SavedState | None:
    """Return the saved part of a run that nothing in the file restores, None if there is none."""
    for state in saved:
        if not is_of_training(state.owner, file):
            continue
        places = (c for c in file.nodes(ast.Constant) if c.value == state.key)
        methods = (c.func for c in file.calls(LOADING) if isinstance(c.func, ast.Attribute))
        is_loaded = dotted(state.owner) in {dotted(method.value) for method in methods}
        if not is_loaded and all(is_written_key(place, file) for place in places):
            return state
    return None


def _resumes(
    loader: Function, restored: list[Restored], saved: list[SavedState], file: FileView
) -> bool:
    """Return whether a loader restores a part of the run beside the model, from the same keys."""
    keys = {state.key: state.owner for state in saved}
    if not {each.key for each in restored} <= keys.keys():
        return False
    if any(is_of_training(keys[each.key], file) for each in restored):
        return True
    if gets_unused_optimizer(loader, file):
        return True
    return any(_is_counter(statement) for statement in scan(loader, {ast.Assign}))


def _is_counter(statement: ast.AST) -> bool:
    """Return whether a statement sets an attribute of the object to an entry of a checkpoint."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Attribute):
        return False
    entry = statement.value
    while isinstance(entry, ast.BinOp):
        entry = entry.left
    is_entry = isinstance(entry, ast.Subscript) and isinstance(entry.slice, ast.Constant)
    return is_entry or (isinstance(entry, ast.Call) and terminal_name(entry.func) == "get")
