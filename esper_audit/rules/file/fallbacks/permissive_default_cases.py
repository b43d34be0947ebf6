"""The cases of the rule `permissive-default`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "the last of the literals of a type",
        """
        from typing import Literal


        def is_logged(scope: Literal["process", "global", "local"]) -> bool:
            if scope == "global":
                return is_first()
            if scope == "local":
                return is_first_here()
            return True
        """,
    ),
    Valid(
        "a default that rejects or raises",
        """
        def passes(gate, state):
            if gate == Gate.G1:
                return state.shape_ok()
            if gate == Gate.G2:
                return state.ratio > 0.05
            return False


        def check(level, state):
            match level:
                case Level.LOW:
                    return state.ready()
                case Level.HIGH:
                    return state.stable()
                case _:
                    raise ValueError(level)
        """,
    ),
    Valid(
        "a list of exceptions",
        """
        def is_trainable(stage):
            if stage == Stage.DORMANT:
                return False
            if stage in (Stage.CULLED, Stage.FOSSILIZED):
                return False
            return True
        """,
    ),
    Valid(
        "one case, or cases of different things",
        """
        def is_open(stage, level):
            if stage == Stage.A:
                return level > 1
            if level == Level.HIGH:
                return stage.ready()
            return True
        """,
    ),
    Valid(
        "conditions that are no cases",
        """
        def is_close(a, b, tolerance):
            if a == b:
                return check(a)
            if tolerance > 1:
                return abs(a - b) < tolerance
            return True
        """,
    ),
)

INVALID = (
    Invalid(
        "the last statement",
        """
        class Gates:
            def passes(self, gate, state):
                if gate == Gate.G1:
                    return self.check_shape(state)
                elif gate is Gate.G2:
                    return state.ratio > 0.05
                return True
        """,
        ((7, "`return True` accepts every `gate` that no branch checks"),),
    ),
    Invalid(
        "an else, a result object and a tuple",
        """
        def check(stage, state):
            if stage in (Stage.TRAINING, Stage.BLENDING):
                return GateResult(passed=state.ready())
            elif stage == Stage.SHADOWING:
                return GateResult(passed=state.stable())
            else:
                return GateResult(passed=True, reason="")


        def verdict(level, value):
            if level == "low":
                return value > 1, "low"
            if level == "high":
                return value > 10, "high"
            return True, ""
        """,
        (
            (
                7,
                '`return GateResult(passed=True, reason="")` accepts every `stage` that no branch checks',
            ),
            (15, '`return True, ""` accepts every `level` that no branch checks'),
        ),
    ),
    Invalid(
        "a case for all others",
        """
        def check(level, state):
            match level:
                case Level.LOW:
                    return state.ready()
                case Level.HIGH | Level.HIGHEST:
                    return state.stable()
                case _:
                    return Verdict.PASS
        """,
        ((8, "`return Verdict.PASS` accepts every `level` that no branch checks"),),
    ),
)
