"""The names of the node types that can trigger rules."""

from __future__ import annotations

import ast

CST_NODE_TYPES: dict[str, tuple[type[ast.AST], ...]] = {
    "AnnAssign": (ast.AnnAssign,),
    "Assert": (ast.Assert,),
    "Assign": (ast.Assign,),
    "Attribute": (ast.Attribute,),
    "AugAssign": (ast.AugAssign,),
    "BinaryOperation": (ast.BinOp,),
    "BooleanOperation": (ast.BoolOp,),
    "Call": (ast.Call,),
    "ClassDef": (ast.ClassDef,),
    "Comparison": (ast.Compare,),
    "Del": (ast.Delete,),
    "Dict": (ast.Dict,),
    "ExceptHandler": (ast.ExceptHandler,),
    "Expr": (ast.Expr,),
    "For": (ast.For, ast.AsyncFor),
    "FunctionDef": (ast.FunctionDef, ast.AsyncFunctionDef),
    "If": (ast.If,),
    "IfExp": (ast.IfExp,),
    "Import": (ast.Import,),
    "ImportFrom": (ast.ImportFrom,),
    "Match": (ast.Match,),
    "Return": (ast.Return,),
    "Subscript": (ast.Subscript,),
    "Try": (ast.Try,),
    "While": (ast.While,),
    "With": (ast.With, ast.AsyncWith),
}
"""The node types of LibCST that can trigger a `CstRule`, with those of `ast`."""

NODE_TYPES: dict[str, tuple[type[ast.AST], ...]] = {
    types[0].__name__: types for types in CST_NODE_TYPES.values()
}
"""The node types of `ast` that can trigger a `Rule`, asynchronous forms included."""
