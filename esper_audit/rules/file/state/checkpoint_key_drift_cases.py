"""The cases of the rule `checkpoint-key-drift`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a file of which the keys are not known",
        """
        import json
        import torch

        class Run:
            def save(self, folder):
                torch.save(self.net.state_dict(), folder / "net.pt")
                (folder / "run.json").write_text(json.dumps({"step": self.step}))

            def load(self, folder):
                state = torch.load(folder / "net.pt")
                self.bias = state["bias"]
                self.step = json.loads((folder / "run.json").read_text())["step"]
        """,
    ),
    Valid(
        "keys of the files of an older saver",
        """
        import torch

        def save(path, model):
            torch.save({"params": {"model": model.state_dict()}}, path)

        def load(path):
            checkpoint = torch.load(path)
            if "params" not in checkpoint:
                return checkpoint["model"], checkpoint["config"]
            return checkpoint["params"]
        """,
    ),
    Valid(
        "a key of another saver, which is read where the own one is absent",
        """
        class A:
            def state_dict(self):
                return {"student": self.student, "teacher": self.teacher}
            def load_state_dict(self, state):
                is_other = any("actor" in key for key in state)
                self.student = state["student"]
                self.teacher = state.get("teacher") or state["actor"]
                self.is_other = is_other
        """,
    ),
    Valid(
        "keys of other savers that are dropped",
        """
        class A:
            def state_dict(self):
                return {"width": self.width}
            def load_state_dict(self, state):
                state = state.copy()
                state.pop("kind")
                state.pop("compress", None)
                self.width = state["width"]
        """,
    ),
    Valid(
        "the same keys in both",
        """
        class A:
            def state_dict(self):
                return {"step": self.step}
            def load_state_dict(self, state):
                self.step = state["step"]
        """,
    ),
    Valid(
        "a dict that is passed on",
        """
        class A:
            def state_dict(self):
                return {"step": 1, "n": 2}
            def load_state_dict(self, state):
                self.__dict__.update(state)
        """,
    ),
    Valid(
        "a dict from another function",
        """
        class A(B):
            def state_dict(self):
                state = super().state_dict()
                state['n'] = 1
                return state
            def load_state_dict(self, state):
                self.n = state['n']
                self.m = state['m']
        """,
    ),
    Valid(
        "computed keys",
        """
        class A:
            def state_dict(self):
                return {**self.rest}
            def load_state_dict(self, state):
                self.step = state["step"]
        class A:
            def state_dict(self):
                return {"a": 1, "b": 2}
            def load_state_dict(self, state):
                for k in self.names:
                    put(k, state[k])
        """,
    ),
    Valid(
        "a migration",
        """
        class A:
            def state_dict(self):
                return {"step": 1}
            def load_state_dict(self, state):
                if "old" in state:
                    state["step"] = state.pop("old")
                self.step = state["step"]
        """,
    ),
    Valid(
        "a key with tested absence",
        """
        class A:
            def state_dict(self):
                return {"start": 1}
            def load_state_dict(self, state):
                times = state.get("times")
                if times is None:
                    times = range(state["start"])
                self.start = times[0]
        """,
    ),
    Valid(
        "a copy that the object stores",
        """
        class A:
            def state_dict(self):
                return {"n": 1, "m": 2}
            def load_state_dict(self, state):
                self.__dict__ = dict(state)
                put(state["n"])
        """,
    ),
    Valid(
        "built in steps, loaded from a file",
        """
        def save_run(path, step):
            d = dict(step=step)
            d['lr'] = 1
            d.update({'t': 2})
            torch.save(d, path)
        def load_run(path):
            d = torch.load(path)
            e = dict(d)
            return d['step'], e['lr'], d.get('t')
        """,
    ),
    Valid(
        "a saver without a loader",
        """
        class A:
            def to_dict(self):
                return {'n': 1}
        """,
    ),
    Valid(
        "two files",
        """
        def save(a):
            dump({'n': 1}, 'a')
            dump({'m': 2}, 'b')
        def load(a):
            x = load_json(a)
            return a['n']
        """,
    ),
)

INVALID = (
    Invalid(
        "a key of the second of two files",
        """
        import json
        import torch

        class Run:
            def save(self, folder):
                torch.save({"net": self.net.state_dict()}, folder / "net.pt")
                (folder / "run.json").write_text(json.dumps({"step": self.step, "best": self.best}))

            def load(self, folder):
                state = torch.load(folder / "net.pt")
                self.net.load_state_dict(state["net"])
                run = json.loads((folder / "run.json").read_text())
                self.step, self.best = run["step"], run.get("best_loss", 0.0)
        """,
        ((13, "has a default for `best_loss`, which `save` never writes"),),
    ),
    Invalid(
        "a key that is never written",
        """
        class A:
            def state_dict(self):
                return {"step": 1}
            def load_state_dict(self, state):
                self.step = state["steps"]
        """,
        ((5, "requires `steps`, which `state_dict` never writes"),),
    ),
    Invalid(
        "a default that always applies",
        """
        class A:
            def state_dict(self):
                return {"alpha": 1}
            def load_state_dict(self, state):
                self.alpha = state["alpha"]
                self.t = state.get("t", 0)
        """,
        ((6, "has a default for `t`, which `state_dict` never writes"),),
    ),
)
