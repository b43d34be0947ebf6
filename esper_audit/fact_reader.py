"""Reading one file's `ast` for its facts: one pass with a pile instead of recursion, a handler a kind of node."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from esper_audit import fact_definitions, fact_expressions, fact_statements
from esper_audit.ast_walk import children
from esper_audit.fact_expressions import At, Left, Work
from esper_audit.facts import FileFacts
from esper_audit.ledger import Ledger
from esper_audit.statements import last_line

Handler = Callable[[Ledger, Any, At], Left]


def read_facts(tree: ast.Module) -> FileFacts:
    """Return the facts of a parsed file."""
    ledger = Ledger(last_line(tree.body[-1]) if tree.body else 1)
    pile: list[Work] = list(fact_expressions.block(tree.body, At()))
    pile.reverse()
    while pile:
        node, at = pile.pop()
        handler = HANDLERS.get(type(node))
        left = list(handler(ledger, node, at)) if handler else [(c, at) for c in children(node)]
        left.reverse()
        pile += left
    return ledger.close()


HANDLERS: dict[type[ast.AST], Handler] = {
    ast.AnnAssign: fact_definitions.annotated,
    ast.Assign: fact_definitions.assign,
    ast.AsyncFor: fact_statements.for_,
    ast.AsyncFunctionDef: fact_definitions.function,
    ast.AsyncWith: fact_statements.with_,
    ast.Attribute: fact_expressions.attribute,
    ast.AugAssign: fact_definitions.augmented,
    ast.BoolOp: fact_expressions.both,
    ast.Call: fact_expressions.call,
    ast.ClassDef: fact_definitions.class_,
    ast.Constant: fact_expressions.constant,
    ast.DictComp: fact_expressions.comprehension,
    ast.Expr: fact_definitions.expression,
    ast.For: fact_statements.for_,
    ast.FunctionDef: fact_definitions.function,
    ast.GeneratorExp: fact_expressions.comprehension,
    ast.Global: fact_statements.elsewhere,
    ast.If: fact_statements.if_,
    ast.IfExp: fact_expressions.choice,
    ast.Import: fact_definitions.import_,
    ast.ImportFrom: fact_definitions.import_,
    ast.JoinedStr: fact_expressions.joined,
    ast.Lambda: fact_expressions.lambda_,
    ast.ListComp: fact_expressions.comprehension,
    ast.Match: fact_statements.match,
    ast.Name: fact_expressions.name,
    ast.NamedExpr: fact_expressions.walrus,
    ast.Nonlocal: fact_statements.elsewhere,
    ast.Return: fact_statements.return_,
    ast.SetComp: fact_expressions.comprehension,
    ast.Try: fact_statements.try_,
    ast.TryStar: fact_statements.try_,
    ast.While: fact_statements.while_,
    ast.With: fact_statements.with_,
    ast.Yield: fact_statements.yield_,
    ast.YieldFrom: fact_statements.yield_,
}
