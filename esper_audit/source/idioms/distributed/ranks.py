"""Ranks of distributed training: which values are a rank, and what runs on some ranks only."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name, text_of

RANK_VARIABLES = frozenset({"RANK", "LOCAL_RANK", "SLURM_PROCID", "GROUP_RANK"})
RANK_FUNCTIONS = frozenset({"get_rank", "get_local_rank", "get_global_rank", "get_node_local_rank"})
# Names of torch's and its launchers' own arguments, and properties of accelerate and Lightning.
RANK_WORDS = frozenset(
    {"rank", "local_rank", "global_rank", "process_index", "local_process_index"}
)
RANK_FLAGS = frozenset(
    {"is_main_process", "is_local_main_process", "is_global_zero", "is_world_process_zero"}
    | {"is_local_process_zero", "is_rank_zero", "is_master"}
)
SAMPLERS = frozenset(
    {"torch.utils.data.distributed.DistributedSampler", "torch.utils.data.DistributedSampler"}
)
DISTRIBUTED = ("torch.distributed.", "torch.distributed.distributed_c10d.")
COLLECTIVES = frozenset(
    {"all_reduce", "all_gather", "all_gather_into_tensor", "all_gather_object", "broadcast"}
    | {"broadcast_object_list", "barrier", "monitored_barrier", "reduce", "reduce_scatter"}
    | {"reduce_scatter_tensor", "gather", "gather_object", "scatter", "scatter_object_list"}
    | {"all_to_all", "all_to_all_single", "new_group"}
)
WAITING = {
    "accelerate.Accelerator": frozenset({"wait_for_everyone", "gather", "gather_for_metrics"})
}
WAITING |= {
    name: frozenset({"barrier", "all_gather", "all_reduce", "broadcast"})
    for name in ("lightning.Fabric", "lightning.fabric.Fabric", "lightning_fabric.Fabric")
}
# Where a group stands among the positional arguments.
GROUP_POSITIONS = {"barrier": 0, "monitored_barrier": 0, "all_reduce": 2, "broadcast": 2}
DEEPEST = 4
# A file without one of these words has no value that depends on the rank.
RANK_SOURCES = RANK_FUNCTIONS | RANK_VARIABLES | RANK_WORDS | RANK_FLAGS | {"spawn"}


class Ranks:
    """The values of a file that depend on the rank."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._constructors = file.once(Constructors)
        self._spawned = _spawned_parameters(file)

    def is_rank_test(self, test: ast.expr) -> bool:
        """Return whether a condition depends on the rank of the process."""
        return any(self.is_rank(part) for part in _atoms(test))

    def is_rank(self, node: ast.expr, depth: int = 0) -> bool:
        """Return whether a value is a rank, or a flag that depends on it."""
        if isinstance(node, ast.Call):
            return self._is_rank_call(node, depth)
        if isinstance(node, ast.Subscript):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            return key in RANK_VARIABLES
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._is_rank_name(node, depth)
        if isinstance(node, (ast.Compare, ast.BoolOp, ast.IfExp, ast.UnaryOp, ast.BinOp)):
            return depth < DEEPEST and any(self.is_rank(part, depth + 1) for part in _atoms(node))
        return False

    def is_on_some_ranks(self, node: ast.expr | ast.stmt) -> ast.If | None:
        """Return the innermost `if` around a node, up to its function, whose condition depends on the rank."""
        statements = self._file.enclosing(node)
        for statement in reversed(statements):
            if statement is node:
                continue
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                return None
            if isinstance(statement, ast.If) and self._decides(statement, node):
                return statement
        return None

    def _decides(self, branch: ast.If, node: ast.expr | ast.stmt) -> bool:
        """Return whether the rank decides alone whether a node in an `if` is reached."""
        if _is_below(node, [branch.test]) or not self.is_rank_test(branch.test):
            return False
        # Where the rank is one of several conditions, the rest may hold for every rank.
        return not isinstance(branch.test, ast.BoolOp) or _is_below(node, branch.body)

    def _is_rank_call(self, node: ast.Call, depth: int) -> bool:
        last = terminal_name(node.func)
        if last in RANK_FUNCTIONS:
            return True
        if last in ("int", "str") and node.args:
            return self.is_rank(node.args[0], depth)
        if last in ("getenv", "get") and node.args:
            key = node.args[0]
            return isinstance(key, ast.Constant) and key.value in RANK_VARIABLES
        if last in RANK_FLAGS:
            return True
        target = self._file.once(LocalCalls).target(node)
        if target is None or depth >= DEEPEST:
            return False
        return any(self.is_rank(value, depth + 1) for value in returned_values(target))

    def _is_rank_name(self, node: ast.Name | ast.Attribute, depth: int) -> bool:
        last = node.attr if isinstance(node, ast.Attribute) else node.id
        if last in RANK_FLAGS:
            return True
        values = self._constructors.values(node)
        if depth < DEEPEST and any(self.is_rank(value, depth + 1) for value in values):
            return True
        if isinstance(node, ast.Attribute):
            return last in RANK_WORDS and not values
        functions = self._file.functions(node)
        return any((function, last) in self._spawned for function in functions) or (
            last in RANK_WORDS and not values and _is_parameter(last, functions)
        )


def collective(call: ast.Call, file: FileView) -> str:
    """Return the name of the collective of the whole world that a call runs, empty for any other call."""
    last = terminal_name(call.func)
    target = file.resolve(call.func) or ""
    if last in COLLECTIVES and target in {prefix + last for prefix in DISTRIBUTED}:
        groups = [k.value for k in call.keywords if k.arg == "group"]
        groups += call.args[GROUP_POSITIONS.get(last, len(call.args)) :][:1]
        is_world = all(isinstance(group, ast.Constant) and group.value is None for group in groups)
        return last if is_world else ""
    if last == "wait_for_everyone" or dotted(call.func).endswith(".strategy.barrier"):
        return last
    if isinstance(call.func, ast.Attribute):
        made = file.once(Constructors).of(call.func.value)
        if any(last in WAITING.get(name, ()) for name in made):
            return last
    return ""


def collectives_in(node: ast.AST, file: FileView, depth: int = 1) -> list[ast.Call]:
    """Return the calls in a statement that run a collective, in a function of the file too."""
    calls = file.once(LocalCalls)
    found = []
    for call in scan(node, {ast.Call}, NESTED_SCOPES):
        if not isinstance(call, ast.Call):
            continue
        target = calls.target(call) if depth else None
        if collective(call, file) or (target is not None and _waits(target, file)):
            found.append(call)
    return sorted(found, key=lambda call: (call.lineno, call.col_offset))


def _waits(function: Function, file: FileView) -> bool:
    """Return whether a function runs a collective on every rank."""
    ranks = file.once(Ranks)
    return any(
        ranks.is_on_some_ranks(call) is None
        for statement in function.body
        for call in collectives_in(statement, file, 0)
    )


def _atoms(test: ast.expr) -> list[ast.expr]:
    """Return the values that a condition compares or combines."""
    if isinstance(test, ast.BoolOp):
        return [atom for value in test.values for atom in _atoms(value)]
    if isinstance(test, ast.UnaryOp):
        return _atoms(test.operand)
    if isinstance(test, ast.Compare):
        # Whether there is a rank at all is the same for all ranks.
        is_about_none = any(map(_is_no_rank, test.comparators)) or (
            isinstance(test.ops[0], (ast.GtE, ast.Lt)) and text_of(test.comparators[0]) == "0"
        )
        return [] if is_about_none else [test.left, *test.comparators]
    if isinstance(test, ast.IfExp):
        return [test.body, test.orelse]
    return [test.left, test.right] if isinstance(test, ast.BinOp) else [test]


def _is_no_rank(value: ast.expr) -> bool:
    """Return whether a value is None or -1."""
    is_negative = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub)
    plain = value.operand if is_negative and isinstance(value, ast.UnaryOp) else value
    return isinstance(plain, ast.Constant) and repr(plain.value) == ("1" if is_negative else "None")


def _is_parameter(name: str, functions: list[Function]) -> bool:
    return any(name == p.arg for function in functions for p in parameters(function.args))


def _is_below(node: ast.AST, roots: Sequence[ast.AST]) -> bool:
    return any(part is node for root in roots for part in scan(root, {node.__class__}))


def _spawned_parameters(file: FileView) -> frozenset[tuple[Function, str]]:
    """Return the first parameter of each function that `torch.multiprocessing.spawn` runs."""
    found = set()
    for call in (call for call in file.calls("spawn") if call.args):
        function = call.args[0]
        target = file.once(LocalCalls).named(function) if isinstance(function, ast.Name) else None
        if target is not None and target.args.args:
            found.add((target, target.args.args[0].arg))
    return frozenset(found)
