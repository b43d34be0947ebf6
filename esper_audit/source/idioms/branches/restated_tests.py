"""Whether an operand that an earlier test decides does harm."""

from __future__ import annotations

import ast
import re

from esper_audit.source.idioms.branches.branch_analysis import ConstantCondition
from esper_audit.source.syntax.file_view import FileView

TESTED_LINE = re.compile(r"line (\d+) already tests it$")


def is_harmless(found: ConstantCondition, file: FileView) -> bool:
    """Return whether an operand repeats what holds, where no `else` belongs to that, or only raises.

    Below `if x:` without an `else`, `x and y` is as good as `y`. With one the two are one case apart.
    """
    statement = file.enclosing(found.test)[-1]
    if isinstance(statement, ast.If) and all(isinstance(s, ast.Raise) for s in statement.body):
        return True
    tested = TESTED_LINE.match(found.known.reason)
    around = [s for s in file.enclosing(found.test) if isinstance(s, ast.If)]
    deciding = [s for s in around if tested and s.test.lineno == int(tested[1])]
    return found.known.truth and not any(s.orelse for s in deciding)
