"""The cases of the rule `lenient-load`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

VALID = (
    ValidTree(
        "a record in a file of its own, whose saver is beside, and a saver elsewhere of the other file",
        {
            "a.py": """
                import json
                import torch

                class Run:
                    def save(self, folder):
                        torch.save({"model": self.model.state(), "optimizer": self.optimizer.state()}, folder)
                        (folder / "run.json").write_text(json.dumps({"step": self.step, "best": self.best}))

                    def load(self, folder):
                        state = torch.load(folder)
                        self.model.load(state["model"])
                        self.optimizer.load(state["optimizer"])
                        record = json.loads((folder / "run.json").read_text())
                        self.step = record["step"]
                        self.best = record["best"]
            """,
            "b.py": """
                import torch

                def save_checkpoint(path, model, optimizer):
                    payload = {"model": model.state(), "optimizer": optimizer.state(), "epoch": 1}
                    torch.save(payload, path)
            """,
        },
    ),
    ValidTree(
        "required keys, an Optional field and a tested one",
        {
            "a.py": """
                class A:
                    def state_dict(self):
                        return {"step": self.step, "best": self.best, "seen": self.seen}

                    def load_state_dict(self, state):
                        self.step = state["step"]
                        self.best = state.get("best", None)
                        seen = state.get("seen")
                        if seen is not None:
                            self.seen = seen
            """,
        },
    ),
    ValidTree(
        "a key that is written under a condition, and one of an open dict",
        {
            "a.py": """
                class A:
                    def state_dict(self):
                        state = {"step": self.step}
                        if self.scaler is not None:
                            state["scale"] = self.scaler.scale
                        return state

                    def load_state_dict(self, state):
                        self.step = state["step"]
                        self.scale = state.get("scale", 1.0)


                class B(A):
                    def to_dict(self):
                        return {**super().to_dict(), "rate": self.rate}

                    def from_dict(self, state):
                        self.rate = state.get("rate", 0.1)
            """,
        },
    ),
    ValidTree(
        "a version, and a loader of older states",
        {
            "a.py": """
                class A:
                    def state_dict(self):
                        return {"step": self.step, "format_version": 2}

                    def load_state_dict(self, state):
                        self.version = state["format_version"]
                        self.step = state.get("step", 0)


                class B:
                    def state_dict(self):
                        return {"step": self.step, "rate": self.rate}

                    def load_state_dict(self, state):
                        self.step = state["step"]
                        # older checkpoints have no rate
                        self.rate = state.get("rate", 0.1)
            """,
        },
    ),
    ValidTree(
        "a state of another file with one key in common",
        {
            "save.py": """
                import torch


                def keep(path, model):
                    torch.save({"model": model, "epoch": 1}, path)
            """,
            "load.py": """
                import torch


                def fetch(path):
                    data = torch.load(path)
                    return data["epoch"], data.get("weights", 0), data["names"]
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "a default for what is always saved",
        {
            "a.py": """
                class A:
                    def state_dict(self):
                        return {"step": self.step, "alpha": self.alpha}

                    def load_state_dict(self, state):
                        self.step = state["step"]
                        self.alpha = state.get("alpha", 0.0)
            """,
        },
        (("a.py", 7, "has a default for `alpha`, which `state_dict` always writes"),),
    ),
    InvalidTree(
        "a saver in another file, by names",
        {
            "pkg/save.py": """
                import torch


                def save_run(path, step, rate):
                    state = {"step": step}
                    state["rate"] = rate
                    torch.save(state, path)
            """,
            "pkg/resume.py": """
                import torch


                def load_run(path):
                    found = torch.load(path)
                    return found["step"], found.pop("rate", 1e-3)
            """,
        },
        (("pkg/resume.py", 6, "has a default for `rate`, which `save_run` always writes"),),
    ),
    InvalidTree(
        "a saver in another file, by keys, and a key that no save writes",
        {
            "pkg/writing.py": """
                import torch


                class Writer:
                    def at_epoch_end(self, model, epoch):
                        torch.save({"model": model, "epoch": epoch, "seed": 1}, self.path)
            """,
            "pkg/reading.py": """
                import torch


                def resume(path, trainer):
                    checkpoint = torch.load(path, map_location="cpu")
                    trainer.model = checkpoint["model"]
                    trainer.epoch = checkpoint.get("epoch", 0)
                    trainer.seed = checkpoint["seeds"]
            """,
        },
        (
            (
                "pkg/reading.py",
                7,
                "has a default for `epoch`, which `at_epoch_end` always writes",
            ),
            (
                "pkg/reading.py",
                8,
                "asks for `seeds`, which `writing.Writer.at_epoch_end` does not write",
            ),
        ),
    ),
)
