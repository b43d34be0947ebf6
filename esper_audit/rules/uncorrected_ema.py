"""The rule `uncorrected-ema`: an average that starts at zero is read as if it had always been there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit import cst
from esper_audit.ast_walk import walk
from esper_audit.finding import Category, Severity
from esper_audit.names import Function, dotted
from esper_audit.quotation import quoted
from esper_audit.rule import Invalid, Reach, Rule, Triggers, Valid, Violation
from esper_audit.running_average import UPDATES, update
from esper_audit.view import View

ZEROS = frozenset({"zeros", "zeros_like", "new_zeros"})
KEEPS_VALUE = frozenset({"clone", "cuda", "double", "float", "to", "tensor", "Parameter", "Buffer"})
RESTORES = re.compile(r"load|restore|from_|set_extra_state|__setstate__|reset|init_weights")
CORRECTS = re.compile(r"(?i)bias_?corr|debias|unbias|correct")
STATISTICS = re.compile(r"running_(mean|var|std)$")


class UncorrectedEma(Rule):
    """An average that starts at zero is read as if it had always been there.

    What: x

    Why: x

    Quiet: x

    Tickets: deep dive 4, B7-CR-04
    """

    contract = "ema-bias"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P3
    triggers = Triggers(
        calls=UPDATES,
        nodes=frozenset({"Assign", "AugAssign"}),
        parts=frozenset({"-", "0.", " ."}),  # `1 - b`, `x - avg`, or two numbers that add to one
    )
    reach = Reach.STATEMENT

    VALID = (
        Valid("x", "import torch\n"),
    )
    INVALID = (
        Invalid(
            "x",
            "import torch\n",
            (),
        ),
    )

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep what updates a moving average."""
        return update(node) is not None

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report the update of an average whose start is zero and which nothing corrects."""
        statement = ast.parse(view.code(node).strip()).body[0]
        found = update(statement.value if isinstance(statement, ast.Expr) else statement)
        if found is None:
            return
        scope = _scope(found.average, view.functions(node), view.source.tree)
        if not _starts_at_zero(found.average, scope, view.source.tree): 
            return
        if _is_corrected(scope): return
        yield Violation(node, f"{found.average} starts at 0 and is never divided by 1 - ({found.kept})**n: its first value is 1 - {found.kept} of the truth")


def _scope(average: str, functions: Sequence[Function], tree: ast.Module) -> ast.AST:
    """Return where an average lives: the class of the function for an attribute, else the function."""
    if not functions:
        return tree
    if "." not in average:
        return functions[-1]
    classes = (node for node in walk(tree) if isinstance(node, ast.ClassDef))
    owners = [owner for owner in classes if any(functions[0] is n or functions[-1] is n for n in walk(owner))]
    return owners[-1] if owners else functions[0]


def _starts_at_zero(average, scope, tree) -> bool:
    starts = list(_starts(average, scope))
    if not starts and "." in average:
        starts = [v for v in _declared(average.rpartition(".")[2], tree)]
    return bool(starts) and all(_is_zero(v) for v in starts)

def _starts(average, scope):
    for node, function in _with_function(scope):
        if function is not None and RESTORES.search(function.name) : continue
        if update(node) is not None: continue
        if isinstance(node, ast.Assign):
            for t in node.targets:
                for e in ([t] if not isinstance(t, ast.Tuple) else t.elts):
                    if ast.unparse(e) in (average, average + ".data") or (isinstance(e, ast.Subscript) and ast.unparse(e.value)==average):
                        yield node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None and ast.unparse(node.target) in (average, average.removeprefix("self.")):
            yield node.value
        elif isinstance(node, ast.AugAssign) and ast.unparse(node.target) == average: yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "register_buffer" and node.args and isinstance(node.args[0], ast.Constant) and f"self.{node.args[0].value}" == average:
                yield (node.args[1:] + [k.value for k in node.keywords if k.arg == "tensor"])[0]
            elif ast.unparse(node.func.value).removesuffix(".data") == average and node.func.attr.endswith("_") and not node.func.attr.startswith("_") and node.func.attr not in ("requires_grad_","mul_"):
                if not node.func.attr == "zero_":
                    yield node

def _declared(field, tree):
    for c in walk(tree):
        if isinstance(c, ast.ClassDef):
            for s in c.body:
                if isinstance(s, ast.AnnAssign) and s.value is not None and ast.unparse(s.target) == field:
                    yield s.value
                   

def _with_function(scope):
    stack=[(scope,None)]
    while stack:
        n,f=stack.pop()
        yield n,f
        from esper_audit.ast_walk import children
        for ch in children(n):
            stack.append((ch, n if isinstance(n,(ast.FunctionDef,ast.AsyncFunctionDef)) else f))

def _is_zero(v):
    if isinstance(v, ast.Constant): return v.value == 0 and not isinstance(v.value,bool)
    if isinstance(v, ast.Call):
        name = v.func.attr if isinstance(v.func, ast.Attribute) else v.func.id if isinstance(v.func, ast.Name) else ""
        if name in ZEROS: return True
        if name in KEEPS_VALUE:
            if isinstance(v.func, ast.Attribute) and name in {"clone","cuda","double","float","to"}: return _is_zero(v.func.value)
            return bool(v.args) and _is_zero(v.args[0])
    return False

def _is_corrected(scope):
    for n in walk(scope):
        if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub) and isinstance(n.left, ast.Constant) and n.left.value==1:
            if isinstance(n.right, ast.BinOp) and isinstance(n.right.op, ast.Pow): return True
            if isinstance(n.right, ast.Call) and dotted(n.right.func).rpartition(".")[2]=="pow": return True
        if isinstance(n,(ast.Name,)) and CORRECTS.search(n.id): return True
        if isinstance(n,(ast.Attribute,)) and CORRECTS.search(n.attr): return True
    return False
