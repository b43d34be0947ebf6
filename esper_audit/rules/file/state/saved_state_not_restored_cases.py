"""The cases of `saved-state-not-restored`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = "`{}` saves `{}` as {!r}, and nothing restores it: a resumed run begins it anew. Restore it here"

VALID = (
    Valid(
        "restored, in another function",
        """
        import torch

        class Run:
            def __init__(self, net):
                self.net = net
                self.adam = torch.optim.Adam(net.parameters())

            def save(self, path):
                torch.save({"net": self.net.state_dict(), "adam": self.adam.state_dict(), "step": self.step}, path)

            def load(self, path):
                state = torch.load(path)
                self.net.load_state_dict(state["net"])
                self.step = state["step"]

            def load_moments(self, state):
                self.adam.load_state_dict(state["adam"])
        """,
    ),
    Valid(
        "a loader for inference",
        """
        import torch

        def save(path, net, opt, epoch):
            opt.zero_grad()
            opt.step()
            torch.save({"net": net.state_dict(), "opt": opt.state_dict(), "epoch": epoch}, path)

        def load(path, net):
            state = torch.load(path)
            net.load_state_dict(state["net"])
            print(state["epoch"])
            return net
        """,
    ),
    Valid(
        "a checkpoint that is handed on",
        """
        import torch

        class Run:
            def __init__(self, net):
                self.net = net
                self.adam = torch.optim.Adam(net.parameters())

            def save(self, path):
                torch.save({"net": self.net.state_dict(), "adam": self.adam.state_dict()}, path)

            def load(self, path):
                state = torch.load(path)
                self.net.load_state_dict(state["net"])
                self.step = state["step"]
                return state
        """,
    ),
    Valid(
        "an optimizer that is never saved",
        """
        import torch

        class Run:
            def __init__(self, net):
                self.net = net
                self.adam = torch.optim.Adam(net.parameters())

            def save(self, path):
                torch.save({"net": self.net.state_dict(), "step": self.step}, path)

            def load(self, path):
                state = torch.load(path)
                self.net.load_state_dict(state["net"])
                self.step = state["step"]
        """,
    ),
)
INVALID = (
    Invalid(
        "a trainer that goes on with its schedule",
        """
        import torch

        class Run:
            def __init__(self, net):
                self.net = net
                self.adam = torch.optim.Adam(net.parameters())
                self.decay = torch.optim.lr_scheduler.StepLR(self.adam, 10)

            def save(self, path):
                state = {"net": self.net.state_dict(), "decay": self.decay.state_dict()}
                state["adam"] = self.adam.state_dict()
                torch.save(state, path)

            def resume(self, path):
                state = torch.load(path, map_location="cpu")
                self.net.load_state_dict(state["net"])
                self.decay.load_state_dict(state["decay"])
        """,
        ((16, MESSAGE.format("save", "self.adam", "adam")),),
    ),
    Invalid(
        "functions that are given all parts",
        """
        import torch
        from torch.optim.lr_scheduler import LRScheduler

        def write(path, net, opt, schedule: LRScheduler):
            parts = dict(net=net.state_dict(), opt=opt.state_dict(), schedule=schedule.state_dict())
            torch.save(parts, path)

        def read(path, net, opt, schedule: LRScheduler):
            parts = torch.load(path)
            net.load_state_dict(parts["net"])
            schedule.load_state_dict(parts["schedule"])

        def fit(net, opt: torch.optim.Optimizer, data):
            for x in data:
                opt.zero_grad()
                net(x).sum().backward()
                opt.step()
        """,
        ((10, MESSAGE.format("write", "opt", "opt")),),
    ),
    Invalid(
        "a counter on the object",
        """
        import torch

        class Learner:
            def __init__(self, net, sgd: torch.optim.Optimizer):
                self.net, self.sgd, self.epoch = net, sgd, 0

            def state(self):
                return {
                    "weights": self.net.state_dict(),
                    "sgd": self.sgd.state_dict(),
                    "epoch": self.epoch,
                }

            def write(self, path):
                torch.save(self.state(), path)

            def proceed(self, path):
                loaded = torch.load(path)
                self.net.load_state_dict(loaded["weights"])
                self.epoch = loaded["epoch"] + 1
        """,
        ((19, MESSAGE.format("state", "self.sgd", "sgd")),),
    ),
)
