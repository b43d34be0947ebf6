"""The cases of `missing-zero-grad`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "cleared at the start of each round",
        """
        def fit(net, batches, opt):
            for x, y in batches:
                opt.zero_grad(set_to_none=True)
                net(x).sub(y).square().mean().backward()
                opt.step()
        """,
    ),
    Valid(
        "accumulation that clears on some rounds",
        """
        def fit(net, batches, opt, every):
            for i, (x, y) in enumerate(batches):
                (loss_of(net, x, y) / every).backward()
                if (i + 1) % every == 0:
                    opt.step()
                    opt.zero_grad()
        """,
    ),
    Valid(
        "cleared in a helper",
        """
        class Learner:
            def _apply(self):
                self.solver.step()
                for p in self.net.parameters():
                    p.grad = None

            def fit(self, batches):
                for batch in batches:
                    self.net(batch).mean().backward()
                    self._apply()
        """,
    ),
    Valid(
        "two networks, each cleared by its optimizer, by its module, or both in a list",
        """
        def first(net, judge, batches, opt, other):
            for x in batches:
                opt.zero_grad()
                net(x).mean().backward()
                opt.step()
                judge.zero_grad()
                judge(x).mean().backward()
                other.step()

        def second(net, judge, batches, opt, other):
            for x in batches:
                for each in (opt, other):
                    each.zero_grad()
                net(x).mean().backward()
                opt.step()
                judge(x).mean().backward()
                other.step()

        def third(net, batches, opt, other):
            for x in batches:
                opt.zero_grad()
                net(x).mean().backward()
                other.step()
                opt.step()
        """,
    ),
    Valid(
        "a closure that clears",
        """
        import torch

        def fit(net, x, y):
            opt = torch.optim.LBFGS(net.parameters())

            def closure():
                opt.zero_grad()
                loss = (net(x) - y).square().mean()
                loss.backward()
                return loss

            for _ in range(20):
                opt.step(closure)
        """,
    ),
    Valid(
        "an engine whose own step clears",
        """
        def fit(engine, batches):
            for batch in batches:
                loss = engine(batch)
                engine.backward(loss)
                engine.step()
        """,
    ),
    Valid(
        "a new model each round",
        """
        import torch

        def folds(data):
            for x, y in data:
                net = torch.nn.Linear(3, 1)
                opt = torch.optim.SGD(net.parameters(), lr=0.1)
                (net(x) - y).square().mean().backward()
                opt.step()
        """,
    ),
    Valid(
        "a loop that collects batches for one step",
        """
        def one_step(batches, net, opt, parts):
            opt.zero_grad()
            count, done = 0, False
            while True:
                loss = net(next(batches)).mean() / parts
                if loss.isfinite():
                    loss.backward()
                    count += 1
                    if count == parts:
                        opt.step()
                        done = True
                    if done:
                        break
        """,
    ),
)

INVALID = (
    Invalid(
        "two networks, of which one is cleared",
        """
        import torch

        def fit(net, judge, batches):
            opt = torch.optim.Adam(net.parameters())
            other = torch.optim.Adam(judge.parameters())
            for x in batches:
                judge(net(x).detach()).mean().backward()
                other.step()
                opt.zero_grad()
                judge(net(x)).mean().backward()
                opt.step()
        """,
        (
            (
                7,
                (
                    "`judge(net(x).detach()).mean().backward()` adds to the gradients of all earlier "
                    "batches: the loop in line 6 steps `other` and never clears them. Call "
                    "`other.zero_grad()` before each backward"
                ),
            ),
        ),
    ),
    Invalid(
        "never cleared",
        """
        import torch

        def fit(net, batches):
            opt = torch.optim.AdamW(net.parameters())
            for x, y in batches:
                loss = torch.nn.functional.mse_loss(net(x), y)
                loss.backward()
                opt.step()
        """,
        (
            (
                7,
                (
                    "`loss.backward()` adds to the gradients of all earlier batches: the loop in line 5 steps "
                    "`opt` and never clears them. Call `opt.zero_grad()` before each backward"
                ),
            ),
        ),
    ),
    Invalid(
        "cleared before the loop only",
        """
        def fit(net, batches, solver):
            solver.zero_grad()
            for x, y in batches:
                objective = (net(x) - y).abs().mean()
                objective.backward()
                solver.step()
        """,
        (
            (
                5,
                (
                    "`objective.backward()` adds to the gradients of all earlier batches: the loop in line 3 "
                    "steps `solver` and never clears them. Call `solver.zero_grad()` before each backward"
                ),
            ),
        ),
    ),
    Invalid(
        "in a helper one call away",
        """
        def update(loss, opt):
            loss.backward()
            opt.step()


        def main(net, batches, optimizer):
            while True:
                for batch in batches:
                    update(net(batch).mean(), optimizer)
        """,
        (
            (
                2,
                (
                    "`loss.backward()` adds to the gradients of all earlier batches: the loop in line 8 steps "
                    "`optimizer` and never clears them. Call `optimizer.zero_grad()` before each backward"
                ),
            ),
        ),
    ),
    Invalid(
        "with a gradient scaler, at the top of a script",
        """
        import torch

        net = torch.nn.Linear(2, 2)
        sgd = torch.optim.SGD(net.parameters(), lr=0.1)
        amp = torch.amp.GradScaler()
        for epoch in range(10):
            for x, y in data:
                amp.scale((net(x) - y).abs().mean()).backward()
                amp.step(sgd)
                amp.update()
        """,
        (
            (
                8,
                (
                    "`amp.scale((net(x) - y).abs().mean()).backward()` adds to the gradients of all earlier "
                    "batches: the loop in line 7 steps `sgd` and never clears them. Call `sgd.zero_grad()` "
                    "before each backward"
                ),
            ),
        ),
    ),
)
