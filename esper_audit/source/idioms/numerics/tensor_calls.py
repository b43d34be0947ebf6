"""Calls of torch operations, written as functions, methods or modules, in one form."""

from __future__ import annotations

import ast

import msgspec

from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name

FUNCTIONS = ("torch.nn.functional.", "torch.special.", "torch.linalg.", "torch.Tensor.", "torch.")
MODULES = "torch.nn."
# How the modules of torch are called that apply one operation, and the order of their arguments.
OPERATIONS = {
    "Softmax": ("softmax", ("dim",)),
    "Softmax2d": ("softmax2d", ()),
    "LogSoftmax": ("log_softmax", ("dim",)),
    "Softmin": ("softmin", ("dim",)),
    "Sigmoid": ("sigmoid", ()),
    "LogSigmoid": ("logsigmoid", ()),
    "Hardsigmoid": ("hardsigmoid", ()),
    "ReLU": ("relu", ()),
    "Softplus": ("softplus", ()),
    "Tanh": ("tanh", ()),
    "Dropout": ("dropout", ("p",)),
    "Identity": ("identity", ()),
    "MSELoss": ("mse_loss", ()),
    "CrossEntropyLoss": ("cross_entropy", ()),
    "BCEWithLogitsLoss": ("binary_cross_entropy_with_logits", ()),
    "CosineSimilarity": ("cosine_similarity", ("dim",)),
}
SUBJECTS = frozenset({"input", "self", "x", "inputs"})


class TensorCall(msgspec.Struct, frozen=True, eq=False):
    """A torch operation with its first operand, the other positional arguments, and the keywords."""

    name: str
    subject: ast.expr
    arguments: tuple[ast.expr, ...]
    keywords: dict[str, ast.expr]
    node: ast.Call

    def argument(self, name: str, position: int) -> ast.expr | None:
        """Return an argument by keyword or by its position after the first operand."""
        if name in self.keywords:
            return self.keywords[name]
        return self.arguments[position] if position < len(self.arguments) else None


def tensor_call(node: ast.AST, file: FileView) -> TensorCall | None:
    """Return the torch operation that a node calls, None for anything else.

    `torch.log(x)`, `x.log()`, `F.softmax(x, 1)`, `nn.Softmax(1)(x)` and `self.softmax(x)`, where the
    class binds `self.softmax` to `nn.Softmax(1)`, have `x` as their first operand.
    """
    if not isinstance(node, ast.Call):
        return None
    keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    target = file.resolve(node.func)
    if target is not None:
        return _function_call(node, target, keywords)
    module = node.func if isinstance(node.func, ast.Call) else own_module(node.func, file)
    if module is not None:
        return _module_call(node, module, file)
    if isinstance(node.func, ast.Attribute) and terminal_name(node.func.value) != "self":
        receiver = node.func.value
        if file.resolve(receiver) is None or isinstance(receiver, ast.Call):
            return TensorCall(node.func.attr, receiver, tuple(node.args), keywords, node)
    return None


def enclosing_family(node: ast.expr | ast.stmt, file: FileView) -> ClassFamily | None:
    """Return the innermost class around a node with its bases, None outside classes."""
    classes = [d for d in file.definitions(node) if isinstance(d, ast.ClassDef)]
    return file.once(class_table).family(classes[-1]) if classes else None


def _function_call(node: ast.Call, target: str, keywords: dict[str, ast.expr]) -> TensorCall | None:
    prefix = next((p for p in FUNCTIONS if target.startswith(p)), None)
    if prefix is None or "." in target.removeprefix(prefix):
        return None
    named = [keywords[name] for name in keywords if name in SUBJECTS]
    operands = [*node.args, *named]
    if not operands or isinstance(operands[0], ast.Starred):
        return None
    name = target.removeprefix(prefix)
    return TensorCall(name, operands[0], tuple(node.args[1:]), keywords, node)


def own_module(function: ast.expr, file: FileView) -> ast.Call | None:
    """Return the only module that a class binds to the attribute that is called."""
    if not isinstance(function, ast.Attribute) or terminal_name(function.value) != "self":
        return None
    family = enclosing_family(function, file)
    bound = family.bindings(function.attr) if family is not None else []
    value = bound[0].value if len(bound) == 1 else None
    return value if isinstance(value, ast.Call) else None


def _module_call(node: ast.Call, module: ast.Call, file: FileView) -> TensorCall | None:
    target = file.resolve(module.func) or ""
    if target == "torch.nn.Sequential" and module.args and isinstance(module.args[-1], ast.Call):
        module = module.args[-1]
        target = file.resolve(module.func) or ""
    found = OPERATIONS.get(target.removeprefix(MODULES)) if target.startswith(MODULES) else None
    if found is None or not node.args:
        return None
    name, order = found
    keywords = {keyword.arg: keyword.value for keyword in module.keywords if keyword.arg}
    keywords |= dict(zip(order, module.args, strict=False))
    return TensorCall(name, node.args[0], (), keywords, node)
