"""The rule `restored-state-overwritten`: what a checkpoint restored is thrown away on the same path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.state import restored_state_overwritten_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.state.later_statements import later_statements
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name
from esper_audit.text.phrases import quoted

RESETTING = frozenset(
    {"reset_parameters", "init_weights", "_init_weights", "initialize_weights", "reset_state"}
)
PARTS = frozenset({"modules", "named_modules", "parameters", "named_parameters", "children"})
# A branch that is about starting anew drops the state on purpose.
RESTARTING = re.compile(r"(?i)reset|restart|fresh|finetune|fine_tune|scratch|override|overwrite")
SIMPLE = (ast.Assign, ast.AnnAssign, ast.Expr, ast.Return)


class RestoredStateOverwritten(Rule):
    """What a checkpoint restored is thrown away on the same path.

    What: below `x.load_state_dict(...)`, on every path from there or in a branch, and before `x` is
    used, `x` or its owner is bound to a new object, `x` is initialised (`x.apply(init)`,
    `x.reset_parameters()`), or a method of the file is called that binds the attribute anew
    (`wrapper.bind(...)`).

    Why: the run resumes with the moments of a new optimizer, or with weights that were never trained,
    while the log says that the checkpoint was loaded.

    Quiet: a new value that is made from the old one (`model = DDP(model)`); a use in between; a new
    object under a condition that asks for a fresh start; a part of what was loaded (a new head); a new
    object that is made of what was given a state in between.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 by readers in 131 packages, after mending on them, the known bug is found; 0 of 2 in the "
        "last 65 unseen packages, before mending on them; no finding in 100 packages as widened since"
    )
    triggers = Triggers(
        calls=frozenset({"load_state_dict"}), collected=frozenset({"ClassDef", "Call"})
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls on a name or an attribute."""
        return [node for node in nodes if _loaded(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the first statement below a load that makes what was loaded anew."""
        loaded = _loaded(node)
        functions = file.functions(node) if isinstance(node, ast.Call) else []
        if not loaded or not isinstance(node, ast.Call) or not functions:
            return
        given: set[str] = set()
        for statement in later_statements(file.enclosing(node), functions[-1]):
            if given & _arguments(statement):
                return  # the new object takes the state from what was given it
            given |= _given_state(statement)
            place, how = self._first_overwriting(statement, loaded, functions[-1], file)
            if how:
                message = f"{how}: what line {node.lineno} restored into `{loaded}` is lost"
                yield Violation(place, f"{message}. Load after it.")
            if how or not isinstance(statement, SIMPLE) or _reads(statement, loaded):
                return

    def _first_overwriting(
        self, statement: ast.stmt, loaded: str, function: Function, file: FileView
    ) -> tuple[ast.stmt, str]:
        """Return the statement that makes an object anew, itself or in a branch, and how it does so."""
        steps = [statement]
        if isinstance(statement, ast.If) and not RESTARTING.search(ast.unparse(statement.test)):
            steps = [] if _reads(statement.test, loaded) else statement.body
        for step in steps:
            how = self._overwrites(step, loaded, function, file)
            if how or _reads(step, loaded):
                return step, how
        return statement, ""

    def _overwrites(
        self, statement: ast.stmt, loaded: str, function: Function, file: FileView
    ) -> str:
        """Return how a statement makes an object anew, empty if it does not."""
        if isinstance(statement, ast.Assign):
            owners = [dotted(target) for target in statement.targets]
            is_new = isinstance(statement.value, ast.Call) and not _reads(statement.value, loaded)
            whole = [owner for owner in owners if owner and f"{loaded}.".startswith(f"{owner}.")]
            is_new &= not any(_reads(statement.value, owner) for owner in whole)
            return f"`{whole[0]}` is a new object here" if whole and is_new else ""
        if isinstance(statement, ast.For):
            return "the loop initialises it again" if _initialises(statement, loaded, file) else ""
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return ""
        code, owner, name = quoted(file.code(call)), dotted(call.func.value), call.func.attr
        if owner == loaded and (name in RESETTING or _applies_initialiser(call)):
            return f"`{code}` initialises it again"
        if owner and loaded.startswith(f"{owner}."):
            attribute = loaded.removeprefix(f"{owner}.")
            if self._binds_anew(name, attribute, owner, function, file):
                return f"`{code}` makes a new `{attribute}`"
        return ""

    def _binds_anew(
        self, name: str, attribute: str, owner: str, function: Function, file: FileView
    ) -> bool:
        """Return whether a method of that name binds an attribute of its object without using the old."""
        table = file.once(class_table)
        around = table.owner(function)
        is_own = around is not None and owner == own_name(function)
        classes = [around] if is_own else table.classes
        for definition in classes:
            method = table.family(definition).method(name) if definition is not None else None
            if method is None:
                continue
            bound = table.family(definition).bindings(attribute) if definition is not None else []
            own = [u for u in bound if u.method is method and isinstance(u.value, ast.Call)]
            return bool(own) and not _is_conditional(own[0].node, method, file)
        return False


def _arguments(statement: ast.stmt) -> set[str]:
    """Return what a statement makes an object of."""
    value = statement.value if isinstance(statement, ast.Assign) else None
    return {dotted(a) for a in value.args} - {""} if isinstance(value, ast.Call) else set()


def _given_state(statement: ast.stmt) -> set[str]:
    """Return the object that a statement gives a state: `setattr(x, ...)`, `x.state = ...`."""
    if isinstance(statement, ast.Assign):
        targets = (t.value for t in statement.targets if isinstance(t, ast.Attribute))
        return {dotted(target) for target in targets} - {"", "self"}
    call = statement.value if isinstance(statement, ast.Expr) else None
    is_set = isinstance(call, ast.Call) and dotted(call.func) == "setattr" and bool(call.args)
    return {dotted(call.args[0])} if is_set and isinstance(call, ast.Call) else set()


def _loaded(node: ast.AST) -> str:
    """Return what a call of `load_state_dict` is called on."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return dotted(node.func.value) if node.func.attr == "load_state_dict" else ""
    return ""


def _reads(node: ast.AST, loaded: str) -> bool:
    """Return whether code uses the object that was loaded, or one that holds it."""
    names = (dotted(n) for n in scan(node, {ast.Name, ast.Attribute}))
    root = loaded.split(".")[0] if not loaded.startswith("self.") else loaded
    return any(name in (root, loaded) or f"{name}.".startswith(f"{loaded}.") for name in names)


def _applies_initialiser(call: ast.Call) -> bool:
    """Return whether a call is `model.apply(init_function)`."""
    names = [dotted(argument).lower() for argument in call.args]
    is_apply = isinstance(call.func, ast.Attribute) and call.func.attr == "apply"
    return is_apply and any("init" in name or "reset" in name for name in names)


def _initialises(loop: ast.For, loaded: str, file: FileView) -> bool:
    """Return whether a loop over the parts of what was loaded initialises them."""
    over = loop.iter.func if isinstance(loop.iter, ast.Call) else loop.iter
    if (
        not isinstance(over, ast.Attribute)
        or dotted(over.value) != loaded
        or over.attr not in PARTS
    ):
        return False
    calls = (call for call in scan(loop, {ast.Call}) if isinstance(call, ast.Call))
    names = [(file.resolve(call.func) or "", terminal_name(call.func)) for call in calls]
    return any(full.startswith("torch.nn.init.") or last in RESETTING for full, last in names)


def _is_conditional(node: ast.AST, method: Function, file: FileView) -> bool:
    """Return whether a place in a method is reached under a condition only."""
    around = file.enclosing(node)  # type: ignore[arg-type]  # an attribute has a place
    return any(isinstance(s, (ast.If, ast.Try)) for s in around[around.index(method) :])
