"""Conditions on the mode of a module, and names that announce samples or training."""

from __future__ import annotations

import ast
import re

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function

MODE = re.compile(r"train|eval|determinis|inference|infer\b", re.IGNORECASE)
SAMPLING = re.compile(
    r"(?i)(^|_|\b)(mc|monte|carlo|sampl\w*|bayes\w*|uncertain\w*|stochastic|augment\w*|perturb\w*|"
    r"corrupt\w*|noisy|noise|train\w*)(_|\b)"
)
NOISE = re.compile(
    r"(?i)determinis|stochastic|random|even (in|at|during)|also (in|at|during)|always on"
)
COMMENT_LINES = 3
WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def has_mode(node: ast.expr) -> bool:
    """Return whether an expression reads the mode of a module."""
    return bool(MODE.search(ast.unparse(node)))


def is_under_mode(node: ast.Call, file: FileView) -> bool:
    """Return whether a test of the mode stands around a call, or leaves its function."""
    above = file.parent(node)
    while above is not None:
        if isinstance(above, (ast.If, ast.IfExp)) and has_mode(above.test):
            return True
        if isinstance(above, ast.BoolOp) and any(map(has_mode, above.values)):
            return True
        if isinstance(above, Function):
            tests = [n for n in scan(above, {ast.If}) if isinstance(n, ast.If) and has_mode(n.test)]
            if any(isinstance(t.body[-1], (ast.Return, ast.Raise)) for t in tests):
                return True
        above = file.parent(above)
    return False


def is_sampling(node: ast.expr, file: FileView) -> bool:
    """Return whether the name of a function or class around a node announces samples, or training."""
    return any(SAMPLING.search(WORDS.sub("_", d.name)) for d in file.definitions(node))


def is_documented_noise(node: ast.expr, file: FileView) -> bool:
    """Return whether a comment just above a call, or the docstring of a class around it, states its noise."""
    above = file.source.lines[max(0, node.lineno - 1 - COMMENT_LINES) : node.lineno]
    comments = [text.partition("#")[2] for text in above]
    scopes = [d for d in file.definitions(node) if isinstance(d, (ast.ClassDef, Function))]
    return any(map(NOISE.search, [*comments, *(ast.get_docstring(d) or "" for d in scopes)]))
