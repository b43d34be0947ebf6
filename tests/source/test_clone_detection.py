"""Clones are found independent of local names and nesting, one for each group of equal runs."""

from __future__ import annotations

import ast
import tracemalloc

from esper_audit.source.idioms.duplication.clone_detection import Clone, clones
from esper_audit.source.idioms.duplication.statement_fingerprints import statement_blocks

BODY = "    a = one(x)\n    b = two(a)\n    c = three(b)\n    return c\n"


def found(*codes: str, minimum: int = 4) -> list[Clone]:
    blocks = [
        block
        for number, code in enumerate(codes)
        for block in statement_blocks(f"{number}.py", ast.parse(code), code.splitlines())
    ]
    return list(clones(blocks, minimum))


def test_a_function_is_no_clone_of_itself() -> None:
    assert found(f"def f(x):\n{BODY}") == []


def test_a_repetition_does_not_overlap_itself() -> None:
    (clone,) = found("def f(x):\n" + "    step(x)\n" * 9)
    assert (clone.first.lines, clone.second.lines) == (range(2, 6), range(6, 10))


def test_a_longer_run_is_one_clone() -> None:
    long = "def {0}({1}):\n" + "".join(f"    step_{n}({{1}})\n" for n in range(9))
    (clone,) = found(long.format("f", "x"), long.format("g", "y"))
    assert (clone.size, clone.copies) == (10, 2)


def test_all_copies_form_one_clone() -> None:
    (clone,) = found(*[f"def f{n}(x):\n{BODY}" for n in range(4)])
    assert (clone.first.block.path, clone.second.block.path, clone.copies) == ("0.py", "1.py", 4)


def test_a_run_ends_where_local_names_differ() -> None:
    one = "def f(x, y):\n    begin()\n    a(x)\n    b(x)\n    c(x)\n    d(x)\n    e(x)\n"
    (clone,) = found(one, one.replace("begin", "start").replace("e(x)", "e(y)"))
    assert clone.second.lines == range(3, 7)


def test_a_sum_of_thousands_of_terms_is_no_deeper_than_the_walk() -> None:
    long = "x = " + " + ".join(["y"] * 900) + "\n"
    assert len(found(long * 8)) == 1


def test_runs_that_occur_once_take_a_bounded_number_of_bytes() -> None:
    code = "def f(x):\n" + "".join(f"    x = call_{number}(x)\n" for number in range(5_000))
    blocks = statement_blocks("a.py", ast.parse(code), code.splitlines())
    tracemalloc.start()
    try:
        assert list(clones(blocks, 6)) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / 5_000 < 100  # 350 where each run is kept
