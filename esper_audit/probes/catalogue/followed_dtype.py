"""The probe `followed-dtype`: a module computes in the dtype of its inputs and parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.dtype_watch import (
    has_floats,
    own_dtype,
    watched_conversions,
)
from esper_audit.probes.measure.execution.precise_run import cast_tree
from esper_audit.probes.measure.execution.raising_lines import raising_lines
from esper_audit.probes.measure.output_tree import named_tensors
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.source_text import recipe_text
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import tensors_in
from esper_audit.probes.universal import UniversalProbe, documentation_of, is_metric
from esper_audit.text.phrases import quoted

MIXED = re.compile(
    r"same dtype|but (?:found|got) (?:Float|Double|BFloat16|Half)|(?:Float|Double|BFloat16) and"
    r"|dtype mismatch|Input type \(|expected scalar type|must have the same dtype|dtypes? (?:to )?match"
)
LACKING = re.compile(
    r"not implemented for|not supported|unsupported|to be Half, Float or Double", re.IGNORECASE
)
FIXED_BY_NAME = re.compile(
    r"fp32|float32|float64|fp16|float16|int8|quantiz|to_?(float|double|half)", re.IGNORECASE
)

OF_COMPLEX = re.compile(r"\bcomplex|\bstft\b", re.IGNORECASE)
ZERO = "zero"  # of a witness: outputs of another dtype are zero
NORMS = re.compile(r"norm", re.IGNORECASE)  # the next layer takes its output as it comes
TABLES = re.compile(r"loss|ro(tary|pe)|po(s|pe)|fourier|freq", re.IGNORECASE)
DTYPES = {"bfloat16": torch.bfloat16, "double": torch.float64}


class FollowedDtype(UniversalProbe):
    """A module computes in the dtype of its inputs and parameters.

    What: the module and its floating inputs are converted to bfloat16, then to double. The call must not
    raise on mixed dtypes, and the outputs that are float32 otherwise must have that dtype. What raises in
    double precision alone, or returns another dtype, is listed as possible.

    Why: a constant in float32, or a mask of a fixed dtype, raises under mixed precision or silently
    computes in another one.

    A call that raises at a line of a part that fails alone as well is one finding with it, at the part.

    Quiet: what a CPU kernel lacks; modules that fix a dtype by name, docstring or an attribute, or hold complex
    numbers. An output of another dtype is a property where the code converts to it and never back, where the
    module holds no floats, and where it is zero. So is the reduced precision of
    spectra. A metric has properties only.

    Tickets: real code
    """

    contract = "dtype-follows"
    category = Category.CORRECTNESS
    severity = Severity.P3
    limits: ClassVar[Limits] = {
        "bfloat16": must_not_occur("a module in bfloat16 raises on mixed dtypes"),
        "bfloat16-output": must_not_occur("a module in bfloat16 returns another dtype"),
        "double": must_not_occur("a module in double precision raises on mixed dtypes"),
        "double-output": must_not_occur("a module in double precision returns another dtype"),
    }
    possible: ClassVar[frozenset[str]] = frozenset({"bfloat16-output", "double", "double-output"})

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Convert, call, and look at the outputs."""
        has_floats = any(s.dtype == "float32" for s in tensors_in(subject.recipe.call))
        if not has_floats or subject.recipe.has_drawn_objects():
            return  # an object that is given cannot be converted
        module = subject.at(state)
        usual = named_tensors(subject.evaluate(module, subject.arguments_of_call()))
        if any(map(torch.is_complex, [*usual.values(), *module.parameters(), *module.buffers()])):
            return  # a real dtype would drop the imaginary parts
        followed = [path for path, tensor in usual.items() if tensor.dtype is torch.float32]
        for name, dtype in DTYPES.items():
            module = subject.at(state).to(dtype)
            try:
                call = cast_tree(subject.arguments_of_call(), dtype)
                outputs = named_tensors(subject.evaluate(module, call))
            # Only a complaint about mixed dtypes is the module's own.
            except FAILURES as error:
                is_mixed = MIXED.search(str(error)) and not LACKING.search(str(error))
                if is_mixed:
                    raised = {"error": quoted(str(error)), "line": raising_lines(error)}
                    yield Reading(name, 1.0, {**raised})
                    return
                continue
            wrong = [p for p in followed if p in outputs and outputs[p].dtype is not dtype]
            where: dict[str, Plain] = {}
            if wrong:
                got = str(outputs[wrong[0]].dtype).removeprefix("torch.")
                watch = watched_conversions(subject, dtype)
                where = {"output": wrong[0], "dtype": got, "line": watch.mixing or watch.converting}
                where |= {ZERO: True} if not any(bool(usual[path].any()) for path in wrong) else {}
            yield Reading(f"{name}-output", float(len(wrong)), where)
            if wrong:
                return

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if the class fixes its dtype."""
        text = f"{subject.recipe.class_name} {documentation_of(subject)}"
        if FIXED_BY_NAME.search(text):
            return "fixes its dtype, by its name or docstring"
        if is_metric(subject):
            return "is a metric, by its module or base"
        if detector.startswith("bfloat16") and OF_COMPLEX.search(text):
            return "takes complex numbers or spectra, by its docstring"
        if witness.get(ZERO):
            return "returns zero in another dtype, which promotes nothing"
        dtype = DTYPES[detector.partition("-")[0]]
        if own := own_dtype(subject, dtype):
            return f"converts to a dtype of its own, {own}"
        is_norm = NORMS.search(subject.recipe.class_name)
        if detector.endswith("output") and not is_norm:
            if not has_floats(subject.build()):
                return "has no parameter or buffer that is converted"
            watch = watched_conversions(subject, dtype)
            if watch.away > watch.back:
                return "converts to another dtype in its code"
        is_table = detector.endswith("output") and TABLES.search(subject.recipe.class_name)
        return "returns a loss or a table of positions, by its name" if is_table else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that converts and calls."""
        dtype = "torch.float64" if detector.startswith("double") else "torch.bfloat16"
        names = recipe_text(subject.recipe).names
        specs = tensors_in(subject.recipe.call)
        floating = [n for n, spec in zip(names, specs, strict=True) if spec.is_floating]
        path = str(witness.get("output", ""))
        message = f"the output is torch.{witness.get('dtype', '')}, not {dtype}"
        body = [
            f"module = module.to({dtype})",
            *(f"{n} = {n}.to({dtype})" for n in floating),
            "with torch.no_grad():",
            "    y = module(CALL)",
        ]
        if not detector.endswith("output"):
            return program(subject.recipe, body), "RuntimeError"
        body.append(
            f'assert y{path}.dtype is {dtype}, f"the output is {{y{path}.dtype}}, not {dtype}"'
        )
        return program(subject.recipe, body), f"AssertionError: {message}"
