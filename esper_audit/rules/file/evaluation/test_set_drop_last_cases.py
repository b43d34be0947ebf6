"""The cases of the rule `test-set-drop-last`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`drop_last=True` leaves out up to a batch of the samples that {}. Leave it out of this loader"
)

VALID = (
    Valid(
        "two sets that are shuffled, one by its sampler, and an order that is kept for one set",
        """
        from torch.utils.data import DataLoader

        def loaders(labelled, unlabelled, sampler):
            first = DataLoader(labelled, shuffle=True, drop_last=True)
            return first, DataLoader(unlabelled, shuffle=False, sampler=sampler, drop_last=True)

        def ordered(rows):
            return DataLoader(rows, shuffle=False, drop_last=True)
        """,
    ),
    Valid(
        "training data",
        """
        from torch.utils.data import DataLoader
        from torchvision.datasets import MNIST

        def loader():
            return DataLoader(MNIST(".", train=True), shuffle=True, drop_last=True)
        """,
    ),
    Valid(
        "a variable decides",
        """
        from torch.utils.data import DataLoader
        from torchvision.datasets import MNIST

        def loader(is_training):
            return DataLoader(MNIST(".", train=False), drop_last=is_training)
        """,
    ),
    Valid(
        "used for training",
        """
        import torch
        from torch.utils.data import DataLoader

        def main(net, data, opt):
            loader = DataLoader(data, drop_last=True)
            for x in loader:
                net(x).mean().backward()
                opt.step()
                opt.zero_grad()
        """,
    ),
    Valid(
        "everything is measured",
        """
        from torch.utils.data import DataLoader

        class Data:
            def test_dataloader(self):
                return DataLoader(self.held_out, batch_size=32, drop_last=False)
        """,
    ),
    Valid(
        "two loaders that shuffle, an order of its own, an option that is overridden",
        """
        import functools
        from torch.utils.data import DataLoader

        def main(first, second, third, fourth, order):
            make = functools.partial(DataLoader, drop_last=True)
            make(first, shuffle=True)
            make(second, shuffle=True)
            make(third, sampler=order)
            make(fourth, drop_last=False)
        """,
    ),
    Valid(
        "one function for both, which drops where it shuffles, or whose calls all shuffle or all do not",
        """
        from torch.utils.data import DataLoader

        class Data:
            def batches(self, rows, mixed=False):
                return DataLoader(rows, shuffle=mixed, drop_last=mixed)

            def both(self):
                return self.batches(self.first, mixed=True), self.batches(self.second)

        def make(rows, mixed):
            return DataLoader(rows, shuffle=mixed, drop_last=True)

        def pairs(first, second):
            return make(first, True), make(second, True)

        def ordered(split, sets):
            return DataLoader(sets[split], shuffle=split == "train", drop_last=split == "train")
        """,
    ),
)

INVALID = (
    Invalid(
        "one function for both, called with a flag",
        """
        from torch.utils.data import DataLoader

        class Data:
            def _batches(self, rows, mixed=False):
                return DataLoader(rows, batch_size=self.size, shuffle=mixed, drop_last=True)

            def fitted(self):
                return self._batches(self.first, mixed=True)

            def judged(self):
                return self._batches(self.second)
        """,
        ((5, MESSAGE.format("should be measured")),),
    ),
    Invalid(
        "a function for all splits, one by a flag in its place, one by the name of the split",
        """
        import torch.utils.data as data

        def make(mixed, rows):
            options = {"batch_size": 8, "drop_last": True}
            return data.DataLoader(dataset=rows, shuffle=mixed, **options)

        def main(rows, others):
            return make(True, rows), make(False, others)

        def by_name(part, sets):
            return data.DataLoader(sets[part], 8, shuffle=(part == "train"), drop_last=True)
        """,
        ((5, MESSAGE.format("should be measured")), (11, MESSAGE.format("should be measured"))),
    ),
    Invalid(
        "an order that is kept beside one that is shuffled",
        """
        from torch.utils import data

        class Task:
            def batches(self, size):
                shared = {"batch_size": size}
                fitted = data.DataLoader(self.rows, shuffle=True, **shared)
                return fitted, data.DataLoader(self.others, shuffle=False, drop_last=True, **shared)
        """,
        ((7, MESSAGE.format("should be measured")),),
    ),
    Invalid(
        "a test split",
        """
        import torch
        from torchvision.datasets import STL10

        held_out = STL10(".", split="test")
        batches = torch.utils.data.DataLoader(held_out, 64, drop_last=True)
        """,
        ((5, MESSAGE.format("should be measured")),),
    ),
    Invalid(
        "a hook of Lightning",
        """
        from torch.utils.data import DataLoader

        class Data:
            def val_dataloader(self):
                return DataLoader(self.held_out, batch_size=32, drop_last=True)
        """,
        ((5, MESSAGE.format("should be measured")),),
    ),
    Invalid(
        "a loader that an evaluation uses, one call away",
        """
        import torch
        from torch.utils.data import DataLoader

        def score(net, batches):
            net.eval()
            with torch.no_grad():
                return [net(x) for x in batches]


        def accuracy(net, batches):
            net.eval()
            right = 0
            with torch.no_grad():
                for x, y in batches:
                    right += (net(x).argmax(1) == y).sum().item()
            return right / len(batches.dataset)


        def main(net, data):
            loader = DataLoader(data, batch_size=64, drop_last=True)
            return accuracy(net, loader)
        """,
        ((20, MESSAGE.format("line 15 measures")),),
    ),
)
