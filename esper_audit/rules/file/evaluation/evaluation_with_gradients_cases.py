"""The cases of the rule `evaluation-with-gradients`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` builds an autograd graph in an evaluation: `{}` is in eval mode since line {}, and nothing runs "
    "backward. Evaluate under `torch.no_grad()`"
)

VALID = (
    Valid(
        "a block that names torch without an import of it",
        """
        import numpy

        def score(net, batches):
            net.eval()
            with torch.no_grad():
                return [net(x) for x in batches]

        def other(net, batches):
            net.eval()
            return [net(x) for x in batches]
        """,
    ),
    Valid(
        "a trial of several models, and a timing",
        """
        import torch

        def trial(models, steps):
            for model in models:
                net = model(pretrained=False)
                net.eval()
                x = torch.randn(4, 3, 224, 224)
                y = net(x)
                assert y.size(0) == 4

        def timing(net, x, steps):
            net.eval()
            for _ in range(steps):
                net(x)
        """,
    ),
    Valid(
        "results that are detached at once",
        """
        def values(net, states):
            net.eval()
            return [net(state)[0].detach().numpy() for state in states]
        """,
    ),
    Valid(
        "a block without gradients",
        """
        import torch

        def score(net, batches):
            net.eval()
            with torch.no_grad():
                return sum(net(x).sum().item() for x in batches)
        """,
    ),
    Valid(
        "a context manager of the file",
        """
        import torch

        @contextmanager
        def evaluating(net):
            net.eval()
            with torch.no_grad():
                yield

        def scores(net, batches):
            with evaluating(net):
                return [net(x) for x in batches]
        """,
    ),
    Valid(
        "a decorator",
        """
        import torch

        @torch.inference_mode()
        def score(net, batches):
            net.eval()
            total = 0
            for x in batches:
                total += net(x).sum().item()
            return total
        """,
    ),
    Valid(
        "the caller switches gradients off",
        """
        import torch

        def score(net, batches):
            net.eval()
            return [net(x).argmax(1) for x in batches]


        def main(net, batches):
            with torch.no_grad():
                print(score(net, batches))
        """,
    ),
    Valid(
        "a decorator of another package, which may switch gradients off",
        """
        from lab.modes import measuring

        class Judge:
            @measuring()
            def __call__(self, net, batches):
                net.eval()
                for x in batches:
                    print(net(x).argmax(1))
        """,
    ),
    Valid(
        "a pass that its caller differentiates",
        """
        from torch.autograd import grad

        class Attack:
            def run(self, x, steps):
                self.net.eval()
                for step in range(steps):
                    x = x + self._slope(x)

            def _out(self, x):
                return self.net(x)

            def _slope(self, x):
                return grad(self._out(x).sum(), x)[0]
        """,
    ),
    Valid(
        "gradients of the input are wanted",
        """
        import torch

        def saliency(net, batches):
            net.eval()
            for x in batches:
                x.requires_grad_()
                yield torch.autograd.grad(net(x).sum(), x)
        """,
    ),
    Valid(
        "an attack inside of a training",
        """
        import torch

        class Learner:
            def attack(self, x, noises):
                self.net.eval()
                x.requires_grad_()
                out = [self.net(x + noise) for noise in noises]
                return torch.autograd.grad(sum(out).sum(), [x])[0]

            def fit(self, batches):
                for x in batches:
                    self.loss(self.attack(x, [0, 1])).backward()
                    self.opt.step()
        """,
    ),
    Valid(
        "one call outside of a loop",
        """
        def build(net, example):
            net.eval()
            return net(example)
        """,
    ),
    Valid(
        "a forward that keeps layers in eval mode",
        """
        class Stack(nn.Module):
            def forward(self, x):
                for layer in self.layers:
                    layer.norm.eval()
                    x = layer.norm(x)
                return x
        """,
    ),
    Valid(
        "train mode again",
        """
        def main(net, batches):
            net.eval()
            prepare(net)
            net.train()
            for x in batches:
                net(x)
        """,
    ),
    Valid(
        "a mode that a setting decides",
        """
        def prepare(self, batches):
            for batch in batches:
                if self.is_frozen:
                    self.scaler.eval()
                else:
                    self.scaler.train()
                values = self.scaler(batch)
                self.scaler.eval()
                yield values
        """,
    ),
    Valid(
        "a model that needs gradients even to be evaluated",
        """
        import torch
        def measure(model, batches):
            model.eval()
            total = 0.0
            for batch in batches:
                try:
                    with torch.no_grad():
                        found = model(batch)
                except RuntimeError:
                    found = model(batch)
                total += found.loss.item()
            return total
        """,
    ),
    Valid(
        "a function that is handed to what differentiates it",
        """
        def curvature(model, batches, solve):
            def objective(weights):
                total = 0.0
                for batch in batches:
                    total = total + model(batch).loss
                return total
            model.eval()
            return solve(objective, 10)
        """,
    ),
    Valid(
        "a loop that also attacks the model",
        """
        class Defence:
            def perturbed(self, x, y):
                return Attack(self.model).generate(x, y)

            def test(self, loader):
                self.model.eval()
                for x, y in loader:
                    clean = self.model(x)
                    hard = self.model(self.perturbed(x, y))
                    print(clean.mean(), hard.mean())
        """,
    ),
    Valid(
        "a loop that hands the model to an attack",
        """
        def test(model, loader, attack):
            model.eval()
            for x, y in loader:
                clean = model(x)
                hard = attack(model, x, y)
                print(clean.mean(), hard.mean())
        """,
    ),
)
INVALID = (
    Invalid(
        "without no_grad",
        """
        def score(net, batches):
            net.eval()
            right = 0
            for x, y in batches:
                right += (net(x).argmax(1) == y).sum().item()
            return right
        """,
        ((5, MESSAGE.format("net(x)", "net", 2)),),
    ),
    Invalid(
        "a comprehension",
        """
        def labels(net, batches):
            net.eval()
            return [net(x).argmax(-1) for x in batches]
        """,
        ((3, MESSAGE.format("net(x)", "net", 2)),),
    ),
    Invalid(
        "a function that only evaluates",
        """
        import torch


        class Judge:
            def score(self, net, batches):
                net.eval()
                for x in batches:
                    print(net(x).argmax(1))
        """,
        ((8, MESSAGE.format("net(x)", "net", 6)),),
        fixed="""
        import torch


        class Judge:
            @torch.no_grad()
            def score(self, net, batches):
                net.eval()
                for x in batches:
                    print(net(x).argmax(1))
        """,
    ),
    Invalid(
        "with the mode set in a constructor's helper",
        """
        class Judge:
            def _prepare(self):
                self.encoder.eval()

            def embed(self, batches):
                self._prepare()
                out = []
                for x in batches:
                    out.append(self.encoder(x))
                return out
        """,
        ((9, MESSAGE.format("self.encoder(x)", "self.encoder", 3)),),
    ),
    Invalid(
        "a validation inside a training function",
        """
        import torch

        def fit(net, data, held_out, opt):
            for epoch in range(3):
                net.train()
                for x in data:
                    opt.zero_grad()
                    net(x).mean().backward()
                    opt.step()
                net.train(False)
                for x in held_out:
                    print(net(x).mean().item())
        """,
        ((12, MESSAGE.format("net(x)", "net", 10)),),
    ),
)
