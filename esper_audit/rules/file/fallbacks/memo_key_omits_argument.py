"""The rule `memo-key-omits-argument`: a cached value depends on an argument that its key leaves out."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.fallbacks.memo_entries import (
    is_computed,
    memo_entries,
    missing_arguments,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted
from esper_audit.text.phrases import quoted

KEYS = (ast.Name, ast.Attribute, ast.Tuple, ast.Call, ast.JoinedStr, ast.BinOp, ast.Subscript)


class MemoKeyOmitsArgument(Rule):
    """A cached value depends on an argument that its key leaves out.

    What: a function that looks up `cache[key]`, writes and returns it, where torch or numpy compute the
    value from an argument, or from the device or dtype of a tensor, that the key does not contain.

    Why: the second caller gets the value of the first: a mask on another device, a table of another
    width, the answer to another question.

    Quiet: a registry, which keeps what it is given; values of other libraries; an argument that the key
    contains, also through a local name or as a whole object; values from the object itself; dictionaries
    of the call, and those that are only written.

    Off by default: a key often decides what it omits, and a store that grows looks like a memo.

    Tickets: real code
    """

    contract = "sound-cache"
    category = Category.CORRECTNESS
    severity = Severity.P2
    default = False
    precision = (
        "0 of 3 by readers in 27 packages seen last; before: 0 of 1 by readers in 28 packages; two in "
        "torch itself, not to be merged"
    )
    triggers = Triggers(nodes=frozenset({"Assign"}), words=frozenset({"in", "get", "KeyError"}))

    VALID = (
        Valid(
            "an entry that is made anew where it is too small",
            """
            import torch

            class Scales:
                def of(self, device, count):
                    scale = self._scales.get(device)
                    if scale is None or scale.numel() != count:
                        scale = torch.ones(count, device=device)
                        self._scales[device] = scale
                    return scale
            """,
        ),
        Valid(
            "a key of everything",
            """
            class Tables:
                def get(self, length, width, device):
                    key = (length, width, str(device))
                    if key not in self._tables:
                        table = build(length, width)
                        self._tables[key] = table.to(device)
                    return self._tables[key]
            """,
        ),
        Valid(
            "a whole object as the key, and its properties",
            """
            CACHE = {}

            def mask(x):
                if (x.shape, x.device) not in CACHE:
                    CACHE[x.shape, x.device] = torch.ones(x.shape, device=x.device)
                return CACHE[x.shape, x.device]

            def size(path):
                if path not in CACHE:
                    CACHE[path] = path.stat()
                return CACHE[path]
            """,
        ),
        Valid(
            "a dictionary of the call, and one that is only written",
            """
            class Log:
                def group(self, rows, scale):
                    found = {}
                    for row in rows:
                        if row.key not in found:
                            found[row.key] = row.value * scale
                    return found

                def note(self, key, value):
                    self.values[key] = value
            """,
        ),
    )
    INVALID = (
        Invalid(
            "an argument that the key leaves out",
            """
            import torch

            class Tables:
                def get(self, length, width):
                    if length not in self._tables:
                        self._tables[length] = torch.zeros(length, width)
                    return self._tables[length]
            """,
            (
                (
                    6,
                    (
                        "the value depends on `width`, and the key `length` of `self._tables` does not: the "
                        "next caller gets this one. Add it to the key."
                    ),
                ),
            ),
        ),
        Invalid(
            "the device of a tensor",
            """
            import torch

            class Causal:
                def mask(self, x):
                    n = x.shape[1]
                    cached = self.masks.get(n)
                    if cached is None:
                        cached = torch.ones(n, n, device=x.device).triu(1)
                        self.masks[n] = cached
                    return cached
            """,
            (
                (
                    9,
                    (
                        "the value depends on `x.device`, and the key `n` of `self.masks` does not: the next "
                        "caller gets this one. Add it to the key."
                    ),
                ),
            ),
        ),
        Invalid(
            "a global table, by way of local names",
            """
            import torch

            _KERNELS = {}

            def kernel(size, sigma, normalised=True):
                key = f"kernel-{size}"
                if key in _KERNELS:
                    return _KERNELS[key]
                values = torch.exp(-torch.arange(size) ** 2 / sigma)
                if normalised:
                    values = values / values.sum()
                _KERNELS[key] = values
                return values
            """,
            (
                (
                    12,
                    (
                        "the value depends on `sigma`, and the key `key` of `_KERNELS` does not: the next "
                        "caller gets this one. Add it to the key."
                    ),
                ),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep assignments to an entry."""
        return [node for node in nodes if _writes_entry(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report an entry whose key leaves out what its value depends on."""
        if not isinstance(node, ast.Assign) or not _is_asked_for(node, file.source.text):
            return
        functions = file.functions(node)
        if not functions:
            return
        for entry in memo_entries(functions[-1]):
            missing = missing_arguments(entry, functions[-1]) if entry.statement is node else []
            if missing and is_computed(entry, functions[-1], file):
                names = ", ".join(f"`{name}`" for name in missing)
                key = quoted(file.code(entry.key))
                message = (
                    f"the value depends on {names}, and the key `{key}` of `{entry.cache}` does not"
                )
                yield Violation(
                    node, f"{message}: the next caller gets this one. Add it to the key."
                )


def _writes_entry(node: ast.AST) -> bool:
    """Return whether a statement assigns to an entry under a key that is computed."""
    for target in node.targets if isinstance(node, ast.Assign) else ():
        if target.__class__ is ast.Subscript and target.slice.__class__ in KEYS:
            return True
    return False


def _is_asked_for(node: ast.Assign, text: str) -> bool:
    """Return whether the file looks a key up in the object that an entry is written to."""
    caches = [dotted(t.value) for t in node.targets if isinstance(t, ast.Subscript)]
    return _writes_entry(node) and any(
        cache and (f"in {cache}" in text or f"{cache}.get(" in text or "KeyError" in text)
        for cache in caches
    )
