"""The cases of the rule `train-mode-not-restored`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` leaves `{}` in eval mode for the rest of the loop in line {}, which goes on training it "
    "(step in line {}). Call `{}.train()` after the evaluation"
)

VALID = (
    Valid(
        "an evaluator that is given the model",
        """
        def main(net, data, evaluator, opt):
            for i, x in enumerate(data):
                net(x).mean().backward()
                opt.step()
                opt.zero_grad()
                if i % 100 == 0:
                    evaluator.eval(net)
        """,
    ),
    Valid(
        "a method of the model switches back",
        """
        def main(net, data, held_out, opt):
            for i, x in enumerate(data):
                net(x).mean().backward()
                opt.step()
                opt.zero_grad()
                if i % 100 == 0:
                    net.eval()
                    measure(net, held_out)
                    net.set_train_mode()
        """,
    ),
    Valid(
        "train mode at the start of each epoch",
        """
        def main(net, data, held_out, opt):
            for epoch in range(9):
                net.train()
                for x in data:
                    opt.zero_grad()
                    net(x).mean().backward()
                    opt.step()
                net.eval()
                measure(net, held_out)
        """,
    ),
    Valid(
        "the helper restores the mode",
        """
        def measure(net, held_out):
            mode = net.training
            net.eval()
            score = sum(net(x) for x in held_out)
            net.train(mode)
            return score


        def main(net, data, held_out, opt):
            for x in data:
                net(x).mean().backward()
                opt.step()
                measure(net, held_out)
        """,
    ),
    Valid(
        "the helper that trains sets the mode",
        """
        def learn(net, data, opt):
            net.train()
            for x in data:
                net(x).mean().backward()
                opt.step()


        def main(net, data, held_out, opt):
            for epoch in range(9):
                learn(net, data, opt)
                net.eval()
                measure(net, held_out)
        """,
    ),
    Valid(
        "an evaluation that ends the loop",
        """
        def main(net, data, opt):
            for i, x in enumerate(data):
                net(x).mean().backward()
                opt.step()
                if i == 100:
                    net.eval()
                    return net
        """,
    ),
    Valid(
        "a frozen teacher",
        """
        import torch

        def main(student, teacher, data):
            opt = torch.optim.SGD(student.parameters(), lr=0.1)
            for x in data:
                teacher.eval()
                (student(x) - teacher(x)).square().mean().backward()
                opt.step()
                opt.zero_grad()
        """,
    ),
    Valid(
        "a target network, and the statistics of a part",
        """
        import copy
        class Agent:
            def sync(self):
                if self.target is None:
                    self.target = copy.deepcopy(self.net)
                    self.target.eval()
            def learn(self, batches):
                for batch in batches:
                    self.loss(self.net(batch)).backward()
                    self.optimizer.step()
                    self.sync()
            def fit(self, batches):
                self.net.train()
                for epoch in range(3):
                    for batch in batches:
                        self.loss(self.net(batch)).backward()
                        self.optimizer.step()
                    self.net.statistics.eval()
        """,
    ),
    Valid(
        "each block in its turn",
        """
        def main(blocks, data):
            for block in blocks:
                opt = Adam(block.parameters())
                for x in data:
                    block(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
                block.eval()
                data = [block(x).detach() for x in data]
        """,
    ),
    Valid(
        "an evaluation in the last round of an epoch, or in each with a switch back",
        """
        def main(net, loader, opt):
            for epoch in range(9):
                net.train()
                for i, x in enumerate(loader):
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
                    if i == len(loader) - 1:
                        net.eval()
                        measure(net)

        def patient(net, loader, opt, held_out):
            rounds = len(loader)
            for epoch in range(9):
                net.train()
                for i, x in enumerate(loader, 1):
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
                    if i != rounds or held_out is None:
                        print(i)
                    elif epoch % 2 == 0:
                        net.eval()
                        measure(net)

        def careful(net, loader, opt):
            for epoch in range(9):
                for x in loader:
                    net.train()
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
                    net.eval()
                    measure(net)
        """,
    ),
    Valid(
        "an evaluator, whose result is a table of scores",
        """
        def main(net, loader, opt, judge):
            for x in loader:
                net(x).mean().backward()
                opt.step()
                opt.zero_grad()
                scores = judge.eval()
                print(scores["auc"])
        """,
    ),
    Valid(
        "a method of the model that switches back, one of another class, one of which there are two",
        """
        import torch
        from library import Writer
        from torch import nn

        class Poet(nn.Module):
            def recite(self, first):
                self.eval()
                line = self(first)
                self.train()
                return line

            def write(self, first):
                self.eval()
                return self(first)

            def say(self, first):
                self.eval()
                return self(first)

        class Actor(nn.Module):
            def say(self, first):
                return self(first)

        def main(net, data, opt):
            for x in data:
                net(x).mean().backward()
                opt.step()
                opt.zero_grad()
                print(net.recite(x), net.say(x))

        def other(data):
            net = Writer()
            opt = torch.optim.SGD(net.parameters(), lr=0.1)
            for x in data:
                net(x).mean().backward()
                opt.step()
                opt.zero_grad()
                net.write(x)

        def after(net, data, opt):
            for x in data:
                net(x).mean().backward()
                opt.step()
                opt.zero_grad()
            return net.write(x)

        class Judge:
            def eval(self):
                return self.score

            def check(self):
                self.eval()

            def fit(self, net, data, opt):
                for x in data:
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
                    self.check()
        """,
    ),
)
INVALID = (
    Invalid(
        "in a method of the model that the loop is given",
        """
        import torch
        from torch import nn

        class Poet(nn.Module):
            @torch.inference_mode()
            def recite(self, first, size):
                self.eval()
                words = [first]
                while len(words) < size:
                    words.append(self(words[-1]).argmax())
                return words

        def fit(poet, data, opt):
            poet.train()
            for i, x in enumerate(data):
                opt.zero_grad()
                poet(x).mean().backward()
                opt.step()
                if i % 10 == 0:
                    print(poet.recite(0, 20))
        """,
        ((7, MESSAGE.format("self.eval()", "poet", 15, 18, "poet")),),
    ),
    Invalid(
        "in a model that trains itself, one method away",
        """
        from torch import nn, optim

        class Regressor(nn.Module):
            def fit(self, data, held_out, rounds):
                adam = optim.Adam(self.parameters())
                self.train()
                for _ in range(rounds):
                    for x, y in data:
                        adam.zero_grad()
                        (self(x) - y).square().mean().backward()
                        adam.step()
                    self.log(held_out)

            def log(self, held_out):
                self.train(False)
                print(sum((self(x) - y).square().sum().item() for x, y in held_out))
        """,
        ((15, MESSAGE.format("self.train(False)", "self", 7, 11, "self")),),
    ),
    Invalid(
        "train mode before the loop only",
        """
        def main(net, data, held_out, opt):
            net.train()
            for epoch in range(9):
                for x in data:
                    opt.zero_grad()
                    net(x).mean().backward()
                    opt.step()
                net.eval()
                measure(net, held_out)
        """,
        ((8, MESSAGE.format("net.eval()", "net", 3, 7, "net")),),
    ),
    Invalid(
        "in the evaluating function",
        """
        class Learner:
            def score(self, held_out):
                self.net.train(False)
                return sum(self.net(x).sum().item() for x in held_out)

            def fit(self, data, held_out):
                while not self.done:
                    self.loss(self.net(next(data))).backward()
                    self.adam.step()
                    self.adam.zero_grad()
                    self.score(held_out)
        """,
        ((3, MESSAGE.format("self.net.train(False)", "self.net", 7, 9, "self.net")),),
    ),
    Invalid(
        "every few steps, at the top of a script",
        """
        import torch

        opt = torch.optim.SGD(lstm.parameters(), lr=0.1)
        lstm.train()
        for i, batch in enumerate(batches):
            lstm(batch).mean().backward()
            opt.step()
            opt.zero_grad()
            if i % 100 == 0:
                lstm.eval()
                with torch.no_grad():
                    print(lstm(held_out).mean())
        """,
        ((10, MESSAGE.format("lstm.eval()", "lstm", 5, 7, "lstm")),),
    ),
)
