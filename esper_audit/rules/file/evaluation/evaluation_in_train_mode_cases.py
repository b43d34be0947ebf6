"""The cases of the rule `evaluation-in-train-mode`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{code}` measures `{net}` in train mode: {reason}. Call `{net}.eval()` before this loop and "
    "`{net}.train()` after it"
)

VALID = (
    Valid(
        "an evaluation by a branch that its caller rules out",
        """
        import torch

        class Learner:
            def run(self, folds):
                if len(self.held_out) > 1:
                    self.cross(folds)
                else:
                    self.fit(folds[0])

            def fit(self, data):
                for x in data:
                    self.net.train()
                    self.net(x).mean().backward()
                    self.opt.step()
                    self.opt.zero_grad()
                    if len(self.held_out) > 1:
                        self.score(self.held_out[0])
                    else:
                        self.score(self.tests)

            def score(self, rows):
                self.net.eval()
                with torch.no_grad():
                    for row in rows:
                        print(self.net(row))
        """,
    ),
    Valid(
        "eval mode before the loop",
        """
        import torch

        def main(net, data, held_out, opt):
            for epoch in range(9):
                net.train()
                for x, y in data:
                    (net(x) - y).abs().mean().backward()
                    opt.step()
                net.eval()
                with torch.no_grad():
                    for x, y in held_out:
                        print((net(x) - y).abs().mean())
        """,
    ),
    Valid(
        "eval mode in a helper",
        """
        import torch

        class Learner:
            def begin_evaluation(self):
                self.net.eval()

            def fit(self, data, held_out):
                self.net.train()
                for x in data:
                    self.net(x).mean().backward()
                    self.opt.step()
                self.begin_evaluation()
                with torch.no_grad():
                    for x in held_out:
                        print(self.net(x))
        """,
    ),
    Valid(
        "experience, not an evaluation",
        """
        import torch

        def main(policy, env, opt):
            for epoch in range(9):
                with torch.no_grad():
                    for step in range(128):
                        env.step(policy(env.observation))
                for batch in env.batches():
                    policy(batch).mean().backward()
                    opt.step()
                print(sum(p.numel() for p in policy.parameters()))
        """,
    ),
    Valid(
        "a model without modes",
        """
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

            def forward(self, x):
                return self.body(x)

        net = Net()
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        for x, y in data:
            (net(x) - y).abs().mean().backward()
            opt.step()
        with torch.no_grad():
            for x, y in held_out:
                print((net(x) - y).abs().mean())
        """,
    ),
    Valid(
        "features of the training data",
        """
        import torch

        def main(net, data, opt):
            net.train()
            for x, y in data:
                (net(x) - y).abs().mean().backward()
                opt.step()
            with torch.no_grad():
                for i, (x, y) in enumerate(data):
                    collect(net(x))
        """,
    ),
    Valid(
        "a teacher that is not trained",
        """
        import torch

        def main(student, teacher, data, batches, opt):
            student.train()
            with torch.no_grad():
                targets = [teacher(x) for x in data]
                for x in data:
                    targets.append(teacher(x))
            for x, y in zip(batches, targets):
                (student(x) - y).abs().mean().backward()
                opt.step()
            print(teacher.state_dict())
        """,
    ),
    Valid(
        "a module that runs its own heads in a loop",
        """
        import torch
        from torch import nn
        class Net(nn.Module):
            @torch.no_grad()
            def forward(self, x):
                for task in self.tasks:
                    if task == "content":
                        logits = self.head(x)
                return logits
            def fit(self, batches, optimizer, loss):
                for x, y in batches:
                    optimizer.zero_grad()
                    loss(self.head(x), y).backward()
                    optimizer.step()
        """,
    ),
)
INVALID = (
    Invalid(
        "still in train mode",
        """
        import torch

        def main(net, data, held_out, opt):
            for epoch in range(9):
                net.train()
                for x, y in data:
                    opt.zero_grad()
                    (net(x) - y).abs().mean().backward()
                    opt.step()
                with torch.no_grad():
                    for x, y in held_out:
                        print((net(x) - y).abs().mean())
        """,
        ((12, MESSAGE.format(code="net(x)", net="net", reason="line 5 sets it")),),
    ),
    Invalid(
        "a file without eval, at the top of a script",
        """
        import torch
        import torchvision

        resnet = torchvision.models.resnet18()
        adam = torch.optim.Adam(resnet.parameters())
        for images, labels in loader:
            loss = torch.nn.functional.cross_entropy(resnet(images), labels)
            adam.zero_grad()
            loss.backward()
            adam.step()

        right = 0
        with torch.inference_mode():
            for images, labels in test_loader:
                right += (resnet(images).argmax(1) == labels).sum().item()
        """,
        (
            (
                15,
                MESSAGE.format(
                    code="resnet(images)", net="resnet", reason="this file never calls `eval()`"
                ),
            ),
        ),
    ),
    Invalid(
        "in a function of its own",
        """
        import torch

        class Learner:
            @torch.no_grad()
            def score(self, batches):
                total = 0
                for x, y in batches:
                    total += (self.net(x) - y).abs().mean().item()
                return total

            def fit(self, batches, held_out):
                self.net.train()
                for x, y in batches:
                    self.opt.zero_grad()
                    (self.net(x) - y).abs().mean().backward()
                    self.opt.step()
                return self.score(held_out)
        """,
        ((8, MESSAGE.format(code="self.net(x)", net="self.net", reason="line 12 sets it")),),
    ),
)
