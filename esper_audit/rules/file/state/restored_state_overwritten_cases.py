"""The cases of the rule `restored-state-overwritten`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a branch that starts anew on purpose, and one that uses what was loaded",
        """
        import torch

        def resume(state, net, args):
            opt = torch.optim.Adam(net.parameters())
            opt.load_state_dict(state["opt"])
            if args.reset_optimizer:
                opt = torch.optim.Adam(net.parameters())
            return opt

        def wrap(state, net, args):
            net.load_state_dict(state)
            if args.shards:
                net = shard(net)
            if net.training:
                net = build()
            return net
        """,
    ),
    Valid(
        "an object that reads its state from a model to which it was given",
        """
        class Manager:
            def __init__(self, model, fresh):
                self.state = [] if fresh else model.state

            @classmethod
            def transfer(cls, source, model):
                manager = Manager(model, True)
                manager.load_state_dict(source.state_dict())
                setattr(model, "state", source.state_dict())
                manager = Manager(model, False)
                return manager
        """,
    ),
    Valid(
        "the object of which a part was loaded, moved",
        """
        class Pipeline:
            def __init__(self, path, device):
                self.net = build()
                self.net.body.load_state_dict(torch.load(path))
                self.net = self.net.to(device).eval()
        """,
    ),
    Valid(
        "an object that is made before it is loaded",
        """
        import torch

        def resume(model, checkpoint, lr):
            optimizer = torch.optim.Adam(model.parameters(), lr=lr)
            if checkpoint is not None:
                optimizer.load_state_dict(checkpoint["optimizer"])
            return optimizer
        """,
    ),
    Valid(
        "a wrapper around what was loaded",
        """
        def prepare(model, path):
            model.load_state_dict(torch.load(path))
            model = DistributedDataParallel(model)
            return model
        """,
    ),
    Valid(
        "a use before the next object",
        """
        def compare(paths, model):
            model.load_state_dict(torch.load(paths[0]))
            first = evaluate(model)
            model = build()
            return first, model
        """,
    ),
    Valid(
        "a new head, and a new object on the caller's wish",
        """
        def fine_tune(model, state, reset):
            model.load_state_dict(state)
            model.head.reset_parameters()
            return model

        def again(model, optimizer, state, reset):
            optimizer.load_state_dict(state)
            if reset:
                optimizer = SGD(model.parameters())
            return optimizer
        """,
    ),
    Valid(
        "a branch that returns, and the other branch",
        """
        def resume(model, state):
            optimizer = None
            if state:
                optimizer = SGD(model.parameters())
                optimizer.load_state_dict(state)
                return optimizer
            optimizer = SGD(model.parameters())
            return optimizer
        """,
    ),
    Valid(
        "a method that binds something else, or keeps what is there",
        """
        class Trainer:
            def setup(self):
                if self.optimizer is None:
                    self.optimizer = Adam(self.net.parameters())

            def log_to(self, path):
                self.log = Log(path)

            def load(self, state):
                self.optimizer.load_state_dict(state)
                self.log_to("x")
                self.setup()
        """,
    ),
)

INVALID = (
    Invalid(
        "a new object in a branch",
        """
        import torch

        class Trainer:
            def resume(self, state, decay):
                self.opt.load_state_dict(state["opt"])
                if decay > 0:
                    groups = split(self.net, decay)
                    self.opt = torch.optim.AdamW(groups)
        """,
        (
            (
                8,
                (
                    "`self.opt` is a new object here: what line 5 restored into `self.opt` is lost. Load after it."
                ),
            ),
        ),
    ),
    Invalid(
        "a method makes the inner optimizer anew",
        """
        import torch

        class Wrapper:
            def __init__(self, lr):
                self.lr, self.inner = lr, None

            def bind(self, parameters):
                self.inner = torch.optim.Adam(list(parameters), lr=self.lr)

        def resume(model, checkpoint, lr):
            if checkpoint is not None:
                wrapper = checkpoint["optim"]
                wrapper.inner.load_state_dict(wrapper.inner.state_dict())
            else:
                wrapper = Wrapper(lr)
            wrapper.bind(model.parameters())
            return wrapper
        """,
        (
            (
                16,
                (
                    "`wrapper.bind(model.parameters())` makes a new `inner`: what line 13 restored into "
                    "`wrapper.inner` is lost. Load after it."
                ),
            ),
        ),
    ),
    Invalid(
        "a new object below the load",
        """
        import torch

        def main(args, net):
            opt = torch.optim.SGD(net.parameters(), lr=args.lr)
            if args.resume:
                state = torch.load(args.resume)
                net.load_state_dict(state["net"])
                opt.load_state_dict(state["opt"])
            opt = torch.optim.SGD(net.parameters(), lr=args.lr)
            for batch in args.data:
                step(net, opt, batch)
        """,
        (
            (
                9,
                "`opt` is a new object here: what line 8 restored into `opt` is lost. Load after it.",
            ),
        ),
    ),
    Invalid(
        "an attribute that a method of the same object makes anew",
        """
        class Trainer:
            def configure(self):
                self.schedule = Cosine(self.lr)
                self.opt = Adam(self.net.parameters())

            def load(self, path):
                with open(path) as file:
                    state = read(file)
                    self.opt.load_state_dict(state["opt"])
                self.epoch = state["epoch"]
                self.configure()
        """,
        (
            (
                11,
                (
                    "`self.configure()` makes a new `opt`: what line 9 restored into `self.opt` is lost. "
                    "Load after it."
                ),
            ),
        ),
    ),
    Invalid(
        "weights that are initialised again",
        """
        def restore(net, state):
            net.load_state_dict(state)
            net.apply(init_weights)
            return net

        def restore_other(encoder, state):
            encoder.load_state_dict(state)
            encoder.reset_parameters()
            return encoder
        """,
        (
            (
                3,
                (
                    "`net.apply(init_weights)` initialises it again: what line 2 restored into `net` is "
                    "lost. Load after it."
                ),
            ),
            (
                8,
                (
                    "`encoder.reset_parameters()` initialises it again: what line 7 restored into "
                    "`encoder` is lost. Load after it."
                ),
            ),
        ),
    ),
)
