"""The cases of the rule `list-mirrors-enum`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

STAGES = """
    from enum import Enum


    class Stage(Enum):
        DORMANT = "dormant"
        TRAINING = "training"
        BLENDING = "blending"
        HOLDING = "holding"
        IDLE = "dormant"
"""

VALID = (
    ValidTree(
        "columns that leave out the rest on purpose",
        {
            "log.py": """
                import csv
                from typing import TypedDict

                class Row(TypedDict):
                    epoch: int
                    loss: float
                    rate: float
                    norm: float

                FIELDS = ["epoch", "loss", "rate"]

                def write(stream, row: Row):
                    csv.DictWriter(stream, FIELDS, extrasaction="ignore").writerow(row)
            """,
        },
    ),
    ValidTree(
        "complete lists, and a list of something else",
        {
            "stages.py": STAGES,
            "report.py": """
                from stages import Stage

                NAMES = ["DORMANT", "TRAINING", "BLENDING", "HOLDING"]
                VALUES = ("dormant", "training", "blending", "holding")
                COLOURS = {
                    Stage.DORMANT: "grey",
                    Stage.TRAINING: "blue",
                    Stage.BLENDING: "green",
                    Stage.HOLDING: "red",
                }
                OTHERS = ["training", "validation", "test", "predict"]


                def colour(stage):
                    return COLOURS[stage]
            """,
        },
    ),
    ValidTree(
        "a subset on purpose",
        {
            "stages.py": STAGES,
            "report.py": """
                ACTIVE = ["training", "blending", "holding"]


                def is_active(stage):
                    return stage.value in ACTIVE
            """,
        },
    ),
    ValidTree(
        "titles of a table, which a function alone has",
        {
            "stages.py": STAGES,
            "report.py": """
                def header():
                    titles = ("dormant", "training", "blending", "share trained")
                    return " ".join(titles)
            """,
        },
    ),
    ValidTree(
        "a table that is asked first, and a member that is dealt with before",
        {
            "stages.py": STAGES,
            "report.py": """
                from stages import Stage

                COLOURS = {Stage.DORMANT: "grey", Stage.TRAINING: "blue", Stage.BLENDING: "green"}


                def colour(stage):
                    return COLOURS.get(stage, "black")
            """,
            "other.py": """
                from stages import Stage

                RATES = {Stage.DORMANT: 0.0, Stage.TRAINING: 1.0, Stage.BLENDING: 0.5}


                def rate(stage):
                    if stage is Stage.HOLDING:
                        return 0.1
                    return RATES[stage]
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "the columns of a writer that is given the records",
        {
            "log.py": """
                import csv
                from typing import TypedDict

                class Row(TypedDict):
                    epoch: int
                    loss: float
                    rate: float
                    norm: float

                FIELDS = ["epoch", "loss", "rate"]

                def write(stream, row: Row):
                    csv.DictWriter(stream, fieldnames=FIELDS).writerow(row)
            """,
        },
        (
            (
                "log.py",
                10,
                "repeats the TypedDict `Row` of log.py and lacks `norm`. Make it from the TypedDict.",
            ),
        ),
    ),
    InvalidTree(
        "a table without the new member",
        {
            "stages.py": STAGES,
            "report.py": """
                from stages import Stage

                COLOURS = {
                    Stage.DORMANT: "grey",
                    Stage.TRAINING: "blue",
                    Stage.BLENDING: "green",
                }


                def colour(stage):
                    return COLOURS[stage]
            """,
        },
        (
            (
                "report.py",
                3,
                "is read by members of `Stage` of stages.py and lacks `HOLDING`. Add what it lacks.",
            ),
        ),
    ),
    InvalidTree(
        "lists with a name that the enum has no longer, or that refuse a new one",
        {
            "stages.py": STAGES,
            "report.py": """
                STAGES = ["dormant", "training", "blending", "frozen"]


                def parse(text):
                    if text not in ("DORMANT", "TRAINING", "BLENDING"):
                        raise ValueError(text)
                    return text
            """,
        },
        (
            (
                "report.py",
                1,
                (
                    "repeats the enum `Stage` of stages.py and lacks `holding` and adds `frozen`. "
                    "Make it from the enum."
                ),
            ),
            (
                "report.py",
                5,
                "repeats the enum `Stage` of stages.py and lacks `HOLDING`. Make it from the enum.",
            ),
        ),
    ),
    InvalidTree(
        "keys of a TypedDict, members of a Protocol and names of a registry",
        {
            "types_of_runs.py": """
                from typing import Protocol, TypedDict


                class Record(TypedDict):
                    step: int
                    loss: float
                    accuracy: float
                    seconds: float


                class Host(Protocol):
                    width: int
                    depth: int

                    def forward(self, x): ...

                    def slots(self): ...
            """,
            "layers.py": """
                from registry import blocks


                @blocks.register("conv")
                def conv(width): ...


                @blocks.register("norm")
                def norm(width): ...


                @blocks.register("attention")
                def attention(width): ...
            """,
            "report.py": """
                COLUMNS = ["step", "loss", "accuracy", "wall"]
                HOST = ("width", "depth", "forward", "holes")


                def build(name):
                    if name not in ("conv", "norm", "attention", "lora"):
                        raise ValueError(name)
                    assert name in ("conv", "norm", "attention"), name
                    return name
            """,
            "later.py": """
                from registry import blocks


                @blocks.register("gate")
                def gate(width): ...
            """,
        },
        (
            (
                "report.py",
                1,
                (
                    "repeats the TypedDict `Record` of types_of_runs.py and lacks `seconds` and adds "
                    "`wall`. Make it from the TypedDict."
                ),
            ),
            (
                "report.py",
                2,
                (
                    "repeats the Protocol `Host` of types_of_runs.py and lacks `slots` and adds `holes`. "
                    "Make it from the Protocol."
                ),
            ),
            (
                "report.py",
                6,
                (
                    "repeats the registry `blocks.register` of later.py and lacks `gate` and adds "
                    "`lora`. Make it from the registry."
                ),
            ),
            (
                "report.py",
                8,
                "repeats the registry `blocks.register` of later.py and lacks `gate`. Make it from the registry.",
            ),
        ),
    ),
    InvalidTree(
        "a subset, where asked for",
        {
            "stages.py": STAGES,
            "report.py": """
                ACTIVE = ["training", "blending", "holding"]
            """,
        },
        (
            (
                "report.py",
                1,
                "repeats the enum `Stage` of stages.py and lacks `dormant`. Make it from the enum.",
            ),
        ),
        options={"subsets": True},
    ),
)
