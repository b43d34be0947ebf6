"""The peer: what a project writes for itself in an afternoon, six defensive patterns over the stdlib's `ast`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path


class Patterns(ast.NodeVisitor):
    """Notes six patterns with their lines; knows no imports and no exceptions."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name):
            if node.func.id == "hasattr":
                self.found.append((node.lineno, "hasattr"))
            elif node.func.id == "getattr" and len(node.args) == 3:
                self.found.append((node.lineno, "getattr with default"))
        elif isinstance(node.func, ast.Attribute):
            if node.func.attr == "scaled_dot_product_attention":
                names = {keyword.arg for keyword in node.keywords}
                if not names & {"is_causal", "attn_mask"} and len(node.args) < 4:
                    self.found.append((node.lineno, "attention without mask"))
            elif node.func.attr == "get" and len(node.args) == 2:
                self.found.append((node.lineno, "get with default"))
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        broad = node.type is None or (
            isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
        )
        if broad and all(isinstance(s, (ast.Pass, ast.Continue)) for s in node.body):
            self.found.append((node.lineno, "silent except"))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == "torch" and node.attr[0] == "_":
            self.found.append((node.lineno, "private torch"))
        self.generic_visit(node)


def findings(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
        patterns = Patterns()
        patterns.visit(ast.parse(path.read_text(encoding="utf-8")))
        for line, what in patterns.found:
            yield f"{path}:{line}: {what}"


if __name__ == "__main__":
    print("\n".join(findings(Path(sys.argv[1]))))
