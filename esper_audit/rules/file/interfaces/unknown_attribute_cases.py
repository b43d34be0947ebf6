"""The cases of the rule `unknown-attribute`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

DISSIMILAR: dict[str, object] = {"dissimilar": True}
VALID = (
    Valid(
        "what a text of the object has from its subclass, and what a plain base brings",
        """
        from torch import nn
        from .plain import Named

        class Layer(nn.Module):
            def __init__(self, rate):
                super().__init__()
                self.rate = rate

            def extra_repr(self):
                return f"rate={self.rate}, kind={self.kind}"

        class Soft(Layer):
            def __init__(self, rate):
                super().__init__(rate)
                self.kind = "soft"

        class Shown(Named):
            def __init__(self):
                self.rate = 1

            def __repr__(self):
                return self.title
        """,
    ),
    Valid(
        "an attribute that has no similar name, or one with a word more, unless asked for",
        """
        from torch import nn


        class Encoder(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.inner_attend = nn.Linear(width, width)

            def forward(self, x):
                return self.last_linear(self.inner_cross_attend(x))
        """,
    ),
    Valid(
        "a plain class whose method is named after the attribute that it sets a part of",
        """
        class Group:
            def __init__(self, rank):
                self.rank = rank

            def set_extra_buffer(self, name, shape):
                self.extra_buffer[name] = shape
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "attributes by the names that a caller gives, and a method for another class",
        """
        from torch import nn


        def fill(module, **values):
            for name, value in values.items():
                setattr(module, name, value)


        class Filled(nn.Module):
            def __init__(self, **values):
                super().__init__()
                fill(self, **values)

            def forward(self, x):
                return self.layer(x)


        class Made(nn.Module):
            def __init__(self):
                super().__init__()

            def forward(self, x):
                return self.layer(x)


        def make(values):
            made = Made()
            for name in values:
                setattr(made, name, values[name])
            return made


        class Dummy(nn.Module):
            def __init__(self):
                super().__init__()

            def forward(self, x):
                return self.outputs


        def replace(module):
            module.forward = Dummy.forward
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a value below a switch of the class that is off, in four spellings",
        """
        from torch import nn

        GATED = False


        class Fusion(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.groups = 1
                self.expand = False
                self.layer = nn.Linear(width, width)

            def forward(self, x):
                if self.groups > 1:
                    x = self.merge(x)
                x = self.wide(x) if self.expand else self.layer(x)
                x = x * (GATED and self.gate(x) or 1)
                if not self.expand:
                    return x
                return self.norm(x)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a class that calls the forward of its subclasses",
        """
        from torch import nn


        class Extractor(nn.Module):
            def __init__(self, **options):
                super().__init__()
                self.options = {**self.default_options, **options}

            def extract(self, image):
                return self.forward(image[None])
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "below a comparison that fails for the constant of the class",
        """
        from torch import nn


        class Unit(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.groups = 1
                self.kind = "plain"
                self.body = nn.Linear(width, width)

            def forward(self, x):
                x = self.body(x)
                if self.groups > 1:
                    x = self.merge(x)
                if self.kind == "other" and x.ndim == 3:
                    x = self.translate(x)
                return x
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "what no forward reaches, a class that lacks much, and the branch without a layer",
        """
        from torch import nn


        class Encoder(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.body = nn.Linear(width, width)

            def flops(self):
                return self.area * 2

            def forward(self, x):
                if self.body:
                    return self.body(x)
                else:
                    return self.plain(x)


        class Coder(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.body = nn.Linear(width, width)

            def forward(self, x):
                self.log(self.rate, self.step)
                return self.body(x)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a function inside a method that is put on an object of another class",
        """
        from torch import nn


        class Injection(nn.Module):
            def __init__(self, unet):
                super().__init__()
                self.unet = unet

                def forward(self, x):
                    return self.attn(self.norm(x))

                for block in self.unet.blocks:
                    block.forward = forward.__get__(block)

            def forward(self, x):
                return self.unet(x)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a module that a trainer runs",
        """
        from torch import nn


        class Coder(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.body = nn.Linear(width, width)

            def training_step(self, batch, index):
                loss = self.body(batch).square().mean()
                self.log("loss", loss, step=self.global_step)
                return loss
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a forward that is put on modules of other classes",
        """
        from torch import nn


        class FusedExperts(nn.Module):
            def forward(self, x):
                return self.output(self.activation(self.router(x)))


        def install(model):
            model.experts.forward = FusedExperts.forward.__get__(model.experts)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a class that layers of another class are changed to",
        """
        from torch import nn


        class QuantLinear(nn.Module):
            def forward(self, x):
                return nn.functional.linear(x, self.quantizer(self.weight), self.bias)

            def _setup(self, quantizer):
                self.quantizer = quantizer
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "methods that are put on an object of another class",
        """
        class WorkerExtension:
            def load(self, weights):
                self.loaded = True
                self.get_runner().load(weights)

            def get_runner(self):
                return self.runner
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "what is set together with a switch that the class leaves off",
        """
        from torch import nn


        class Encoder(nn.Module):
            def __init__(self, layers):
                super().__init__()
                self.layers, self.checkpointing = layers, False

            def forward(self, x):
                for layer in self.layers:
                    if self.checkpointing and self.training:
                        x = self._checkpointing_func(layer, x)
                    else:
                        x = layer(x)
                return x
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "an object that a function of another file, `__new__` or a wrapper makes",
        """
        import torch
        from torch import nn

        from .layers import add_cross_attention


        class Block(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.width = width
                add_cross_attention(self, width)

            def forward(self, x, context):
                return self.cross_q(x) + self.cross_k(context)


        class Mixer(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.width = width
                _mix_init(self, width)

            def forward(self, x):
                return self.mix(x)


        def _mix_init(self, width):
            self.mix = nn.Linear(width, width)


        class Logger:
            def __new__(cls, name):
                self = super().__new__(cls)
                self.profiler = None
                return self

            def __init__(self, name):
                self.profile = name

            def start(self):
                return self.profile and self.profiler


        class Daemon:
            @classmethod
            async def create(cls, path):
                self = cls()
                self._client_path = path
                self._daemon_path = await start(path)
                return self

            def __init__(self):
                self.client_path = None

            def stop(self):
                remove(self._client_path, self._daemon_path)


        class Model(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.layer = nn.Linear(width, width)

            def save(self, path):
                if isinstance(self, torch._dynamo.eval_frame.OptimizedModule):
                    self._orig_mod.save(path)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a count over the parts, which nothing starts",
        """
        from torch import nn


        class Patches(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.body = nn.Linear(width, width)

            def forward(self, x):
                return self.body(x)

            def flops(self):
                return self.size * self.size


        class Tower(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.patches = Patches(width)

            def forward(self, x):
                return self.patches(x)

            def flops(self):
                return self.patches.flops()
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "names that a call copies to the object",
        """
        from torch import nn


        class Wrapper(nn.Module):
            def __init__(self, model):
                super().__init__()
                copy_attr(self, model, include=("labels", "stride"))
                self.model = model

            def forward(self, x):
                return self.labels[self.model(x).argmax()], self.stride
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "attributes that are set, registered, inherited or defined",
        """
        import torch
        from torch import nn


        class Base(nn.Module):
            scale: float

            def __init__(self):
                super().__init__()
                self.norm = nn.LayerNorm(8)


        class Block(Base):
            def __init__(self, width):
                super().__init__()
                self.register_buffer("mean", torch.zeros(width))
                self.left, self.right = width, width

            @property
            def width(self):
                return self.left + self.right

            def forward(self, x):
                if self.training:
                    x = x * self.scale - self.mean
                return self.norm(x) + self.width + len(self._modules)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "bases that the file does not show, and dynamic classes",
        """
        from torch import nn
        from .base import Base


        class A(Base):
            def forward(self, x):
                return self.head(x)


        class B(nn.Module):
            def __getattr__(self, name):
                return self.layers[name]

            def forward(self, x):
                return self.head(x)


        class C(nn.Module):
            def __init__(self, names):
                for name in names:
                    setattr(self, name, nn.Identity())

            def forward(self, x):
                return self.head(x)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "what subclasses add",
        """
        from torch import nn


        class PoolMixin(nn.Module):
            def forward(self, x):
                return self.pool(x)


        class Model(nn.Module):
            def forward(self, x):
                return self.head(self.encode(x))

            def encode(self, x):
                raise NotImplementedError


        class Net(nn.Module):
            def forward(self, x):
                return self.stem(x)


        class Deep(Net):
            def __init__(self):
                super().__init__()
                self.stem = nn.Identity()
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "attributes that other code of the file sets, asks for or registers",
        """
        from torch import nn


        class Block(nn.Module):
            def __init__(self, origin):
                super().__init__()
                register_state(self, "origin", origin)

            def forward(self, x):
                if hasattr(self, "cache"):
                    return self.cache
                return self.origin + self.slot + x


        def attach(block, slot):
            block.slot = slot
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a plain class with an attribute that resembles no other",
        """
        class Loop:
            def __init__(self, steps):
                self.steps = steps

            def run(self, trainer):
                return self.callbacks
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a question to an object",
        """
        def width(host):
            return getattr(host, "width", 8) if hasattr(host, "width") else 0
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a method that the class beside a plain one brings",
        """
        class Remote:
            def __init__(self):
                self._stream = None

            def __enter__(self):
                self._stream = self._get_stream()
                return self._stream
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a private method for an argument that is None unless a caller has one",
        """
        from torch import nn


        class Attention(nn.Module):
            def forward(self, x, past=None):
                if past is not None:
                    x = self._joined(past, x)
                return x

            def _joined(self, past, x):
                return self.read_past(past) + x
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a class that a method defines, with an object of its own",
        """
        class Suite:
            def build(self, base):
                self.my_losses = []

                class Net(base):
                    def reset(self):
                        return self.my_loss

                return Net
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a branch that constants rule out",
        """
        import torch.nn as nn


        class Fuse(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.parts = 1
                self.way = "add"
                self.proj = nn.Linear(width, width)

            def forward(self, x, y):
                extra = None
                if self.parts > 1:
                    x = self.merge(x)
                if self.way == "gate":
                    x = self.gate(x)
                elif self.way == "add":
                    x = x + y
                if extra is not None and x.ndim > 2:
                    x = self.repair(x, extra)
                return self.proj(x)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "an option that the file leaves off wherever it makes the object",
        """
        import torch.nn as nn


        class Mix(nn.Module):
            def __init__(self, width, dense=False, *, depth=1):
                super().__init__()
                self.dense = dense
                self.proj = nn.Linear(width, width)

            def forward(self, x):
                if not self.dense:
                    return self.proj(x)
                else:
                    return self.proj(x.unflatten(0, (-1, self.steps)))


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                dense_time = False
                self.one = Mix(8, dense=dense_time)
                self.two = Mix(8, depth=2)

            def forward(self, x):
                for part in self.children():
                    x = part(x).relu() if isinstance(part, Mix) else x
                return x
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a class that only a class uses whose name a later one takes",
        """
        import torch.nn as nn


        class Refine(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.joined_layer = nn.Linear(width, width)

            def forward(self, x):
                return self.joinde_layer(x)


        class Flow(nn.Module):
            def __init__(self):
                super().__init__()
                self.refine = Refine(8)

            def forward(self, x):
                return self.refine(x) + self.offset


        class Flow(nn.Module):
            def __init__(self):
                super().__init__()
                self.proj = nn.Linear(8, 8)

            def forward(self, x):
                return self.proj(x)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "an option that the file names in its test alone",
        """
        import torch.nn as nn


        class Block(nn.Module):
            def __init__(self, width, way="plain"):
                super().__init__()
                self.way = way
                self.proj = nn.Linear(width, width)

            def forward(self, x):
                if self.way == "shift":
                    x = self.shift(x)
                return self.proj(x)
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "what a comment took out",
        """
        import torch.nn as nn


        class Head(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.proj = nn.Linear(width, width)
                # self.offset = nn.Parameter(torch.zeros(width))

            def forward(self, x):
                return self.proj(x) + self.offset
        """,
        options=DISSIMILAR,
    ),
    Valid(
        "a head that was taken over for inference",
        """
        import torch.nn as nn


        class BoxHead(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.scores = nn.Linear(width, 2)

            def forward(self, x, truth=None):
                scores = self.scores(x)
                if self.training:
                    return self.criterion(scores, truth)
                return scores.softmax(-1)
        """,
        options=DISSIMILAR,
    ),
)

INVALID = (
    Invalid(
        "a value with a word more in a branch",
        """
        import torch
        from torch import nn

        class Coupling(nn.Module):
            def __init__(self, channels, flip=False):
                super().__init__()
                self.channels, self.flip = channels, flip

            def forward(self, x):
                if self.flip:
                    x = x[:, torch.arange(self.num_channels - 1, -1, -1)]
                return x[:, : self.channels // 2]
        """,
        ((11, "`self.num_channels` is set nowhere in `Coupling` or its bases: it has `channels`"),),
    ),
    Invalid(
        "a name of an older version in the text of the object, and in its length",
        """
        from torch import nn

        class Base(nn.Module):
            def __init__(self, drop_prob=0.0):
                super().__init__()
                self.drop_prob = drop_prob

        class Layer(Base):
            def __init__(self, width):
                super().__init__(0.1)
                self.inner = nn.Linear(width, width)

            def forward(self, x):
                return self.inner(x)

            def extra_repr(self):
                return f"drop_path={self.drop_path}"

        class Rows:
            def __init__(self, table):
                self._table = table

            def __len__(self):
                return self.num_rows

            def __repr__(self):
                return f"Rows({self.table_size})"
        """,
        (
            (17, "`self.drop_path` is set nowhere in `Layer` or its bases"),
            (24, "`self.num_rows` is set nowhere in `Rows` or its bases, nor is `table_size`"),
        ),
    ),
    Invalid(
        "the words of a name in another order",
        """
        from torch import nn

        class Decoder(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.out_norm = nn.LayerNorm(width)

            def forward(self, x):
                return self.norm_out(x)
        """,
        ((9, "`self.norm_out` is set nowhere in `Decoder` or its bases: it has `out_norm`"),),
    ),
    Invalid(
        "a name with a word more, where asked for",
        """
        from torch import nn


        class Encoder(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.inner_attend = nn.Linear(width, width)

            def forward(self, x):
                return self.inner_cross_attend(x)
        """,
        (
            (
                10,
                "`self.inner_cross_attend` is set nowhere in `Encoder` or its bases: it has `inner_attend`",
            ),
        ),
        options=DISSIMILAR,
    ),
    Invalid(
        "below a comparison that holds, or that an argument decides",
        """
        from torch import nn


        class Unit(nn.Module):
            def __init__(self, width, groups):
                super().__init__()
                self.groups = groups
                self.depth = 2
                self.body = nn.Linear(width, width)

            def forward(self, x):
                x = self.body(x)
                if self.groups > 1:
                    x = self.merge(x)
                if self.depth > 1:
                    x = self.merge(x)
                return x
        """,
        ((14, "`self.merge` is set nowhere in `Unit` or its bases"),),
        options=DISSIMILAR,
    ),
    Invalid(
        "a misspelt attribute of a module",
        """
        import torch.nn.functional as F
        from torch import nn


        class Shrink(nn.Module):
            def __init__(self, kernel=3):
                super().__init__()
                self.causal_padding = (kernel - 1, 0)

            def forward(self, x):
                return F.pad(x, self.casual_padding)
        """,
        (
            (
                11,
                (
                    "`self.casual_padding` is set nowhere in `Shrink` or its bases: it has "
                    "`causal_padding`"
                ),
            ),
        ),
    ),
    Invalid(
        "a layer and a method that no class of the family has",
        """
        from torch import nn


        class Stem(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.width = width


        class Encoder(Stem):
            def __init__(self, width):
                super().__init__(width)
                self.body = nn.Linear(width, width)

            def logits(self, x):
                return self.last_linear(self.body(x))

            def reset(self, classes):
                self.last = nn.Linear(self.embed_dim, classes)

            def forward(self, x):
                return self.logits(x)
        """,
        ((16, "`self.last_linear` is set nowhere in `Encoder` or its bases"),),
        options=DISSIMILAR,
    ),
    Invalid(
        "two attributes of one class, which are one finding, and their later reads",
        """
        import torch
        from torch import nn


        class Flow(nn.Module):
            def __init__(self, net):
                super().__init__()
                self.net = net

            def energy(self, x):
                return self.scale * x

            def forward(self, x):
                with torch.enable_grad():
                    h = self.scale * self.net(x)
                    return self.skew(h) if x.requires_grad else self.scale * h
        """,
        ((15, "`self.scale` is set nowhere in `Flow` or its bases, nor is `skew`"),),
        options=DISSIMILAR,
    ),
    Invalid(
        "what no forward reaches, and a class that lacks much, where asked for",
        """
        from torch import nn


        class Encoder(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.body = nn.Linear(width, width)

            def flops(self):
                return self.area * 2


        class Coder(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.body = nn.Linear(width, width)

            def forward(self, x):
                self.log(self.rate, self.step)
                return self.body(x)
        """,
        (
            (10, "`self.area` is set nowhere in `Encoder` or its bases"),
            (19, "`self.log` is set nowhere in `Coder` or its bases, nor are `rate`, `step`"),
        ),
        options={"everywhere": True},
    ),
    Invalid(
        "a constructor that reads what only another base would have",
        """
        from torch import nn


        class Prompt(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.register_to_config(width=width)
                self.body = nn.Linear(width, width)
        """,
        ((7, "`self.register_to_config` is set nowhere in `Prompt` or its bases"),),
        options=DISSIMILAR,
    ),
    Invalid(
        "a switch that the class turns on",
        """
        from torch import nn


        class Encoder(nn.Module):
            def __init__(self, layers, chunked):
                super().__init__()
                self.layers, self.chunked = layers, chunked

            def forward(self, x):
                if self.chunked:
                    return self.by_parts(x)
                return self.layers(x)
        """,
        ((11, "`self.by_parts` is set nowhere in `Encoder` or its bases"),),
        options=DISSIMILAR,
    ),
    Invalid(
        "below a switch of the object, which other files may turn on",
        """
        from torch import nn


        class Temporal(nn.Module):
            def __init__(self, width, linear=False):
                super().__init__()
                self.linear = linear
                self.body = nn.Linear(width, width)

            def forward(self, x):
                if self.linear:
                    x = x.view(-1, self.frames)
                return self.body(x)
        """,
        ((12, "`self.frames` is set nowhere in `Temporal` or its bases"),),
        options=DISSIMILAR,
    ),
    Invalid(
        "what a comment took out, in a branch, and a place for other code",
        """
        import torch.nn as nn


        class Head(nn.Module):
            def __init__(self, width, frozen=-1):
                super().__init__()
                self.proj = nn.Linear(width, width)
                # self.drop = nn.Dropout(0.1)
                self.frozen, self.loss, self.way = frozen, None, None

            def reset_parameters(self):
                if self.frozen > 0:
                    self.drop.eval()

            def forward(self, x):
                if self.loss is not None and self.way == "all":
                    return self.every(x)
                return self.proj(x)
        """,
        ((13, "`self.drop` is set nowhere in `Head` or its bases, nor is `every`"),),
        options=DISSIMILAR,
    ),
    Invalid(
        "below a condition on an argument",
        """
        from torch import nn


        class Cell(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.body = nn.Linear(width, width)

            def forward(self, x, state=None):
                if state is None:
                    state = x.new_zeros(self.hidden)
                return self.body(x) + state
        """,
        ((11, "`self.hidden` is set nowhere in `Cell` or its bases"),),
        options=DISSIMILAR,
    ),
    Invalid(
        "a similar name in a plain class",
        """
        class Meter:
            def __init__(self):
                self.total, self.count = 0.0, 0

            def update(self, value):
                self.total += value
                self.count += 1

            def mean(self):
                return self.totals / self.count
        """,
        ((10, "`self.totals` is set nowhere in `Meter` or its bases: it has `total`"),),
    ),
    Invalid(
        "a question to a string",
        """
        def width(host):
            if hasattr("host", "width"):
                return host.width
            return getattr(None, "width", 8)
        """,
        (
            (2, 'asks the str "host" for an attribute, and no object'),
            (4, "asks the NoneType None for an attribute, and no object"),
        ),
    ),
    Invalid(
        "an option that the file documents, and a class with a use behind",
        """
        import torch.nn as nn


        class Block(nn.Module):
            '''A block. `way` is "plain" or "shifted".'''

            def __init__(self, width, way="plain"):
                super().__init__()
                self.way = way
                self.proj = nn.Linear(width, width)

            def forward(self, x):
                if self.way == "shifted" and x.ndim > 2:
                    x = self.shift(x)
                return self.proj(x)


        class Flow(nn.Module):
            pass


        class Flow(nn.Module):
            def __init__(self, way):
                super().__init__()
                self.block = Block(8, way)

            def forward(self, x):
                return self.block(x) + self.offset
        """,
        (
            (14, "`self.shift` is set nowhere in `Block` or its bases"),
            (28, "`self.offset` is set nowhere in `Flow` or its bases"),
        ),
        options=DISSIMILAR,
    ),
    Invalid(
        "below conditions that constants do not decide",
        """
        import torch.nn as nn


        class Fuse(nn.Module):
            def __init__(self, width, dense=False):
                super().__init__()
                self.parts = 1
                self.dense = dense

            def widen(self):
                self.parts = 4

            def forward(self, x):
                if self.parts > 1 and x.ndim > 2:
                    x = self.merge(x)
                return x


        class Mix(nn.Module):
            def __init__(self, width, dense=False):
                super().__init__()
                self.dense = dense

            def forward(self, x):
                return x.sum(self.steps) if self.dense else x


        class Net(nn.Module):
            def __init__(self, dense):
                super().__init__()
                self.one, self.two = Mix(8), Mix(8, dense)

            def forward(self, x):
                scale = 1
                for part in x:
                    scale = part.max()
                if scale != 1:
                    x = x / self.largest
                return self.two(self.one(x))
        """,
        (
            (15, "`self.merge` is set nowhere in `Fuse` or its bases"),
            (25, "`self.steps` is set nowhere in `Mix` or its bases"),
            (38, "`self.largest` is set nowhere in `Net` or its bases"),
        ),
        options=DISSIMILAR,
    ),
)
