"""The cases of the rule `catch-all-passes`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

IGNORED = "`{}` may be a `{}`, which no case names: the last one ignores it. Handle it, or raise"
MESSAGE = "any `{}` other than {} passes: it {}. Reject what is not expected"

VALID = (
    Valid(
        "the last of the literals of a type",
        """
        from typing import Literal

        Scope = Literal["process", "global", "local"]

        def is_logged(scope: Scope, mode: Literal["a", "b"] = "a") -> bool:
            if scope == "global":
                return is_first()
            if scope == "local":
                return is_first_here()
            return True
        """,
    ),
    Valid(
        "rejected by default",
        """
        def may_pass(stage, score):
            match stage:
                case Stage.NEW:
                    return score > 1
                case Stage.OLD:
                    return False
                case _:
                    raise ValueError(stage)
        """,
    ),
    Valid(
        "the named cases are the exceptions",
        """
        def is_trainable(kind):
            if kind == "embedding":
                return True
            elif kind == "norm":
                return True
            else:
                return False
        """,
    ),
    Valid(
        "one value and the rest",
        """
        def is_open(mode):
            if mode == "closed":
                return False
            else:
                return True
        """,
    ),
    Valid(
        "a last block that does something",
        """
        def run(mode):
            match mode:
                case "train":
                    train()
                case "test":
                    test()
                case _:
                    usage()
        """,
    ),
)

INVALID = (
    Invalid(
        "a class of the union that no case names",
        """
        from typing import Union

        class Grow: ...
        class Prune: ...
        class Merge: ...

        Action = Union[Grow, Prune, Merge]

        def apply(action: Action, one: Grow | Prune):
            match action:
                case Grow():
                    grow()
                case Prune():
                    prune()
                case _:
                    pass
            match one:
                case Grow():
                    grow()
                case Prune():
                    prune()
                case _:
                    pass
        """,
        ((15, IGNORED.format("action", "Merge")),),
    ),
    Invalid(
        "a gate that accepts the rest",
        """
        def may_pass(stage, score) -> bool:
            match stage:
                case Stage.NEW:
                    return score > 1
                case Stage.OLD | Stage.BROKEN:
                    return False
                case _:
                    return True
        """,
        (
            (
                7,
                MESSAGE.format("stage", "`Stage.NEW`, `Stage.OLD`, `Stage.BROKEN`", "returns True"),
            ),
        ),
    ),
    Invalid(
        "a chain of strings",
        """
        def check(level, values):
            if level == "strict":
                return not values
            elif level == "normal":
                if len(values) > 3:
                    return False
                return True
            elif level in ("loose", "lax"):
                return len(values) < 10
            else:
                return True
        """,
        (
            (
                11,
                MESSAGE.format("level", "`'strict'`, `'normal'`, `'loose'` ...", "returns True"),
            ),
        ),
    ),
    Invalid(
        "one return after the other",
        """
        def may_pass(stage, score):
            if stage == Stage.NEW:
                return score > 1
            if stage == Stage.OLD:
                return False
            return True
        """,
        ((6, MESSAGE.format("stage", "`Stage.NEW`, `Stage.OLD`", "returns True")),),
    ),
    Invalid(
        "nothing happens",
        """
        def apply(self, action):
            match action:
                case "grow":
                    self.grow()
                case "prune":
                    self.prune()
                case _:
                    pass
        """,
        ((7, MESSAGE.format("action", "`'grow'`, `'prune'`", "is ignored")),),
    ),
)
