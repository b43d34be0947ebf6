"""The cases of `ema-never-updates`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

REBOUND = "`{}` gives a name to the new average and leaves the tensor of the loop as it was"
DISCARDED = "`{}` computes the average and throws it away: the operation is not in place"
FILTERED = (
    "`{0}.requires_grad` is False for every parameter of `{1}`, so that the update is never reached"
)
COPIED = (
    "`{}` goes into the table that `state_dict` returned, and no `load_state_dict` brings it back"
)
UNMATCHED = (
    "no parameter of a nested module is called {}: the name has the path of the module in front"
)
STOPPED = "`{}` is 0 for ever, nothing counts it, so that the update is never reached"

VALID = (
    Valid(
        "an average that is written to `out`",
        """
        import torch

        def update(state, grad, beta):
            torch.lerp(state[0], grad, weight=1.0 - beta, out=state[0])
        """,
    ),
    Valid(
        "averages in place and on the data",
        """
        def update(ema, model, decay):
            for e, p in zip(ema.parameters(), model.parameters()):
                e.data = decay * e.data + (1 - decay) * p.data
            for e, p in zip(ema.parameters(), model.parameters()):
                e.mul_(decay).add_(p, alpha=1 - decay)
                e.copy_(decay * e + (1 - decay) * p)
        """,
    ),
    Valid(
        "a variable that is stored afterwards, and results that are used",
        """
        def update(averages, model, decay):
            for name, average in averages.items():
                average = decay * average + (1 - decay) * model[name]
                averages[name] = average
            seen = set()
            seen.add(decay)
            return averages["x"].mul(decay).add(model["x"], alpha=1 - decay)
        """,
    ),
    Valid(
        "a table of state that is loaded or returned",
        """
        def blend(teacher, student, decay):
            old, new = teacher.state_dict(), student.state_dict()
            for key, value in old.items():
                old[key] = decay * old[key] + (1 - decay) * new[key]
            teacher.load_state_dict(old)
        def blended(teacher, student, decay):
            state = teacher.state_dict()
            for key in state:
                state[key] = decay * state[key] + (1 - decay) * student[key]
            return state
        """,
    ),
    Valid(
        "a filter of the trained parameters, a counter that another method raises",
        """
        class Average:
            def __init__(self, model, ema):
                self.model, self.ema, self.count = model, ema, 0
                self.step = 0
                self.ema.requires_grad_(False)
            def tick(self):
                self.step += 1
            def update(self, decay):
                for e, p in zip(self.ema.parameters(), self.model.parameters()):
                    if p.requires_grad:
                        e.mul_(decay).add_(p, alpha=1 - decay)
                if self.step > 100:
                    self.mean = decay * self.mean + (1 - decay) * self.step
        """,
    ),
)
INVALID = (
    Invalid(
        "the variable of the loop",
        """
        import torch
        @torch.no_grad()
        def follow(target, source, tau):
            for t, s in zip(target.parameters(), source.parameters()):
                t = tau * s + (1 - tau) * t
            for (name, t), s in zip(target.named_parameters(), source.parameters()):
                if "bias" not in name:
                    t = t + tau * (s - t)
        """,
        (
            (5, REBOUND.format("t = tau * s + (1 - tau) * t")),
            (8, REBOUND.format("t = t + tau * (s - t)")),
        ),
    ),
    Invalid(
        "operations that are not in place",
        """
        def update(shadow, model, decay):
            for name, p in model.named_parameters():
                shadow[name].mul(decay).add(p, alpha=1 - decay)
                shadow[name].lerp(p, 1 - decay)
                shadow[name].mul_(decay).add(p, alpha=1.0 - decay)
        """,
        (
            (3, DISCARDED.format("shadow[name].mul(decay).add(p, alpha=1 - decay)")),
            (4, DISCARDED.format("shadow[name].lerp(p, 1 - decay)")),
            (5, DISCARDED.format("shadow[name].mul_(decay).add(p, alpha=1.0 - decay)")),
        ),
    ),
    Invalid(
        "a filter that the frozen copy never passes",
        """
        import copy
        class Teacher:
            def __init__(self, net):
                self.net = net
                self.teacher = copy.deepcopy(net)
                for p in self.teacher.parameters():
                    p.requires_grad = False
            def update(self, m):
                for k, q in zip(self.teacher.parameters(), self.net.parameters()):
                    if k.requires_grad:
                        k.data = k.data * m + q.data * (1.0 - m)
            def refresh(self, m):
                for k, q in zip(self.teacher.parameters(), self.net.parameters()):
                    if not k.requires_grad:
                        continue
                    k.lerp_(q, 1 - m)
        """,
        (
            (10, FILTERED.format("k", "self.teacher")),
            (14, FILTERED.format("k", "self.teacher")),
        ),
    ),
    Invalid(
        "a table of state that is not loaded, a name without its path",
        """
        def blend(teacher, student, decay):
            old, new = teacher.state_dict(), student.state_dict()
            for key in old:
                old[key] = decay * old[key] + (1 - decay) * new[key]
        def follow(teacher, student, decay):
            for (name, t), s in zip(teacher.named_parameters(), student.parameters()):
                if name in ("weight", "bias"):
                    t.data.mul_(decay).add_(s.data, alpha=1 - decay)
        """,
        (
            (4, COPIED.format("old[key] = decay * old[key] + (1 - decay) * new[key]")),
            (7, UNMATCHED.format("'weight' or 'bias'")),
        ),
    ),
    Invalid(
        "a counter that stands still",
        """
        class Meter:
            def __init__(self, warmup):
                self.updates = 0
                self.warmup = warmup
                self.mean = 0.0
            def add(self, x):
                if self.updates > self.warmup:
                    self.mean = 0.9 * self.mean + 0.1 * x
        """,
        ((7, STOPPED.format("self.updates")),),
    ),
)
