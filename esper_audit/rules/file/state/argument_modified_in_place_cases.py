"""The cases of the rule `argument-modified-in-place`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "layers of a list that change what the loop has computed, or a copy",
        """
        import torch
        from torch import nn

        def scaled(weight: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
            weight *= by
            return weight

        class Layer(nn.Module):
            def forward(self, x, weight):
                return self.lin(x) * scaled(weight.clone(), x.mean(0))

        class Fill(nn.Module):
            def forward(self, x):
                return x.mul_(2)

        class Stack(nn.Module):
            def __init__(self, depth):
                super().__init__()
                self.layers = nn.ModuleList(Layer() for _ in range(depth))
                self.fills = nn.ModuleList([Fill(), Fill()])

            def forward(self, x, weight):
                x = self.lin(x)
                for layer in self.layers:
                    x = layer(x, weight)
                for fill in self.fills:
                    x = fill(x)
                return x
        """,
    ),
    Valid(
        "items that are taken out of a copy, out of own keywords, and by a function",
        """
        import torch
        from torch import nn

        class Task(nn.Module):
            def forward(self, batch, **options):
                batch = dict(batch)
                truth = batch.pop("truth")
                scale = options.pop("scale", 1.0)
                return scale * self.loss(self.net(**batch), truth)

            def loss_of(self, batch):
                truth = batch.pop("truth")
                return self.loss(self.net(**batch), truth)
        """,
    ),
    Valid(
        "an item of what goes to no layer of torch",
        """
        from torch import nn

        class Pair(nn.Module):
            def __init__(self, width, reader):
                super().__init__()
                self.left, self.reader = nn.Linear(width, 4), reader

            def forward(self, a, b, missing=None):
                if missing is not None:
                    b[missing] = 0.0
                return self.left(a) + self.reader(b)
        """,
    ),
    Valid(
        "a copy that is written while the argument stays",
        """
        import torch
        from torch import nn

        class Whiten(nn.Module):
            def forward(self, x, lengths):
                out = x.clone()
                for i in range(out.shape[0]):
                    out[i] = (out[i] - out[i].mean(0)) / out[i].std(0)
                return out
        """,
    ),
    Valid(
        "a view of a copy",
        """
        import torch

        def integrate(state: torch.Tensor) -> torch.Tensor:
            rows = state.clone().squeeze(2)
            for i in range(rows.shape[0]):
                rows[i] = torch.tanh(rows[i])
            return rows.unsqueeze(2)
        """,
    ),
    Valid(
        "a copy on every path",
        """
        import torch

        def fill(x: torch.Tensor, mean=None):
            if mean is None:
                x = x.clone()
            else:
                x = x - mean
            x[x < 0] = 0
            return x
        """,
    ),
    Valid(
        "a name that ends in an underscore, and a function without a result",
        """
        import torch

        def scale_(x: torch.Tensor, by: float) -> torch.Tensor:
            x *= by
            return x

        def reset(x: torch.Tensor) -> None:
            x.zero_()
        """,
    ),
    Valid(
        "outputs, caches and `out=`",
        """
        import torch

        def attend(q: torch.Tensor, k_cache: torch.Tensor, at: int, out: torch.Tensor):
            k_cache[:, at] = q
            torch.matmul(q, k_cache, out=out)
            return out
        """,
    ),
    Valid(
        "a docstring or a comment that speaks of it",
        '''
        import torch

        def clip(x: torch.Tensor) -> torch.Tensor:
            """Clip `x` in place and return it."""
            x.clamp_(0, 1)
            return x

        def mask(x: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
            x[m] = 0  # in-place, the logits are not used again
            return x
        ''',
    ),
    Valid(
        "a flag by which the caller chooses",
        """
        import torch

        def normalize(tensor: torch.Tensor, mean, std, inplace: bool = False):
            if not inplace:
                tensor = tensor.clone()
            tensor.sub_(mean).div_(std)
            return tensor

        def shift(tensor: torch.Tensor, copy=True):
            tensor = tensor.clone() if copy else tensor
            tensor += 1
            return tensor
        """,
    ),
    Valid(
        "numbers, and rows that advanced indexing copies",
        """
        import torch

        def pad(x: torch.Tensor, mask: torch.Tensor, size: int, stride=1):
            size += 1
            stride *= 2
            kept = x[mask]
            kept -= kept.mean()
            return kept.reshape(size, stride)
        """,
    ),
    Valid(
        "items of a batch under literal keys, the protocol of a pipeline",
        """
        import torch
        from torch import nn
        from torch.nn import functional as F

        class Normalize(nn.Module):
            def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
                features["embedding"] = F.normalize(features["embedding"], dim=-1)
                return features
        """,
    ),
    Valid(
        "a slice of a list is a list of its own",
        """
        import torch
        from torch import nn

        class Decoder(nn.Module):
            def forward(self, features):
                features = features[2:]
                for i, norm in enumerate(self.norms):
                    features[i] = norm(features[i])
                return features
        """,
    ),
    Valid(
        "a private helper, and a block of this file, that get what is not used again",
        """
        import torch
        from torch import nn

        def _zero(x, mask):
            x[mask] = 0
            return x

        class Block(nn.Module):
            def forward(self, h):
                h += h.mean()
                return h

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(3, 3)
                self.block = Block()

            def forward(self, x, mask):
                x = _zero(self.first(x), mask)
                return self.block(x)
        """,
    ),
    Valid(
        "own attributes, and what an operator declares",
        """
        import torch

        class Mean:
            def update(self, x: torch.Tensor):
                self.total[0] += x.sum()
                return self.total

        class Relu(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.mark_dirty(x)
                x.clamp_(min=0)
                return x.view_as(x)
        """,
    ),
    Valid(
        "the shape of a view that is an object of its own, and an integer",
        """
        import torch
        from torch import nn

        class Stem(nn.Module):
            def forward(self, wave, draws, size):
                assert isinstance(draws, int)
                torch.manual_seed(draws)
                wave = wave.transpose(1, 2)
                wave.unsqueeze_(1)
                draws -= size
                return self.conv(wave) * draws
        """,
    ),
    Valid(
        "what methods and functions are there for: they hand back what they were given",
        """
        import torch
        from torch import Tensor

        class Greedy:
            def step(self, tokens: Tensor, scores: Tensor):
                scores += tokens.float()
                return tokens.argmax(-1)

        def snap(boxes, width):
            boxes[boxes[:, 2] > width, 2] = width
            return boxes

        def within(x: Tensor):
            x.clamp_(0, 1)
            return x.sqrt()

        def clipped(weights, limit):
            norm = torch.nn.utils.clip_grad_norm_(weights, limit)
            return norm > limit
        """,
    ),
    Valid(
        "the slots of a list, and a dict that is returned",
        """
        import torch
        from torch import Tensor, nn

        class Head(nn.Module):
            def forward(self, levels: list[Tensor]):
                for i in range(3):
                    levels[i] = self.conv[i](levels[i])
                return torch.cat(levels, 1)

        class Cast(nn.Module):
            def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
                for key, value in batch.items():
                    batch[key] = value.double()
                return batch
        """,
    ),
    Valid(
        "a name that has values of its own, and a helper that fills in a constant",
        """
        import torch
        from torch import nn

        class Conv(nn.Module):
            def degrees(self, tokens, stops):
                for row in range(4):
                    tokens[row, 3:] = 0
                return tokens

            def forward(self, x: torch.Tensor, index, tokens: torch.Tensor):
                degree = x[0]
                if index.is_sparse:
                    degree = index.to_dense().sum(0)
                else:
                    degree = torch.bincount(index)
                degree.clamp_(max=9)
                return self.lin(degree) + self.degrees(tokens, 1)
        """,
    ),
    Valid(
        "a helper whose name ends in an underscore, on what is read again",
        """
        import torch

        def _shift_(x, by):
            x += by.mean()
            return x

        def draw(n: int, by: torch.Tensor):
            grid = torch.zeros(n)
            _shift_(grid, by)
            return grid.sum()
        """,
    ),
    Valid(
        "the transform of a sample, which hands its arguments back together",
        """
        import torch
        from torch import nn
        class Flip(nn.Module):
            def forward(self, image: torch.Tensor, boxes: torch.Tensor):
                boxes[:, [0, 2]] = image.shape[-1] - boxes[:, [2, 0]]
                return image.flip(-1), boxes, image
        class Mix:
            def __call__(self, x: torch.Tensor, y: torch.Tensor):
                x[1:] = 0.5 * x[1:] + 0.5 * x[:-1]
                return x, y
        def masked(tokens: torch.Tensor, chosen, mask_id: int):
            labels = tokens.clone()
            tokens[chosen] = mask_id
            return tokens, labels
        """,
    ),
    Valid(
        "places drawn at random, and what is put back",
        """
        import torch
        from torch import nn
        class Cut(nn.Module):
            def forward(self, picture: torch.Tensor):
                for row in range(picture.shape[0]):
                    start = int(torch.randint(0, 8, (1,)))
                    end = start + 4
                    picture[row, start:end] = 0.0
                return picture
        class Importance(nn.Module):
            def forward(self, x: torch.Tensor):
                found = []
                for column in range(x.shape[1]):
                    kept = x[:, column].clone()
                    x[:, column] = 0.0
                    found.append(self.score(x))
                    x[:, column] = kept
                return torch.stack(found)
        """,
    ),
    Valid(
        "no result, a filled destination, a contiguous transpose",
        """
        import torch
        from torch import nn
        def scatter(view: torch.Tensor, pages: torch.Tensor) -> None:
            view[pages] = view[pages] + 1
            return launch(view)
        def simulate(lengths: torch.Tensor, count):
            lengths.fill_(count)
            return count + 1
        class Attend(nn.Module):
            def forward(self, q: torch.Tensor):
                q = q.transpose(1, 2).contiguous()
                q[:, :, 0] = 2 * q[:, :, 0]
                return q.sum()
        """,
    ),
    Valid(
        "a parameter that is only written",
        """
        import torch
        def routed(topk: torch.Tensor, load: torch.Tensor, table: torch.Tensor):
            chosen = table[topk]
            load.scatter_add_(0, chosen.flatten(), torch.ones_like(chosen.flatten()).to(load))
            return chosen
        def accepted(lengths: torch.Tensor, chosen, totals: torch.Tensor):
            totals.add_(lengths + 1)
            return lengths[chosen]
        """,
    ),
    Valid(
        "a record with a field `out`, a random scale, and a fill of what nothing declares",
        """
        import torch
        from torch import nn
        class Flow(nn.Module):
            def forward(self, x: torch.Tensor):
                x = x.reshape(x.shape[0], -1)
                return Output(out=x, size=x.shape[0])
        class Scale(nn.Module):
            def forward(self, wave: torch.Tensor):
                scales = torch.empty(wave.size(0), 1).uniform_(0.5, 2.0)
                wave *= scales
                return wave
        def chosen(indices, limit):
            indices[indices >= limit] = -1
            return torch.zeros(indices.shape)
        """,
    ),
)

INVALID = (
    Invalid(
        "weights that each layer of a list scales again",
        """
        import torch
        from torch import nn

        def scaled(attr: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
            weight = attr[:, 0]
            weight *= by
            return weight

        class Layer(nn.Module):
            def forward(self, x, attr):
                return self.lin(x) * scaled(attr, x.mean(0))

        class Stack(nn.Module):
            def __init__(self, depth):
                super().__init__()
                self.layers = nn.ModuleList(Layer() for _ in range(depth))

            def forward(self, x, attr):
                for layer in self.layers[:-1]:
                    x = torch.relu(layer(x, attr))
                return self.layers[-1](x, attr)
        """,
        (
            (
                6,
                "`weight *= by` in `scaled` changes what the call on line 20 is given. Write into a copy.",
            ),
        ),
    ),
    Invalid(
        "a mask that the blocks of a list fill, by number",
        """
        import torch
        from torch import nn

        class Block(nn.Module):
            def forward(self, x, mask):
                mask = mask.unsqueeze(1)
                mask.mul_(x.mean())
                return x * mask

        class Net(nn.Module):
            def __init__(self, depth):
                super().__init__()
                self.blocks = nn.ModuleList([Block() for _ in range(depth)])

            def forward(self, x, mask):
                out = x
                for number, block in enumerate(self.blocks):
                    out = block(out, mask) + number
                return out
        """,
        ((18, "`block(out, mask)` in `forward` changes the caller's `mask`. Write into a copy."),),
    ),
    Invalid(
        "labels of a batch that a helper bounds",
        """
        import torch.nn.functional as F
        from torch import nn

        def span_loss(logits, labels):
            labels = labels.squeeze(-1) if labels.dim() > 1 else labels
            labels.clamp_(0, logits.size(1))
            return F.cross_entropy(logits, labels, ignore_index=logits.size(1))

        def bounded(values):
            values.clamp_(0, 1)
            return values.mean()

        class Span(nn.Module):
            def forward(self, states, labels=None):
                logits = self.out(states)
                return span_loss(logits, labels)
        """,
        (
            (
                16,
                (
                    "`span_loss(logits, labels)` in `forward` changes the caller's `labels`. Write into a copy."
                ),
            ),
        ),
    ),
    Invalid(
        "an item that is taken out of the caller's batch",
        """
        import torch
        from torch import nn

        class Task(nn.Module):
            def forward(self, batch, weights):
                truth = batch.pop("truth")
                return self.loss(self.net(**batch), truth)
        """,
        (
            (
                6,
                '`batch.pop("truth")` in `forward` changes the caller\'s `batch`. Write into a copy.',
            ),
        ),
    ),
    Invalid(
        "what only a layer of the object shows to be a tensor",
        """
        from torch import nn

        class Pair(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.left, self.right = nn.Linear(width, 4), nn.Linear(width, 4)

            def forward(self, a, b, missing=None):
                if missing is not None:
                    b[missing] = 0.0
                return self.left(a) + self.right(b)
        """,
        (
            (
                10,
                "`b[missing] = 0.0` in `forward` changes the caller's `b`. Write into a copy.",
            ),
        ),
    ),
    Invalid(
        "rows of the features of a forward",
        """
        import torch
        from torch import nn

        class Whiten(nn.Module):
            def forward(self, feats, lens):
                for b in range(feats.size(0)):
                    span = feats[b, : lens[b]]
                    feats[b] = (feats[b] - span.mean(0)) / span.std(0).clamp(min=1e-5)
                return feats
        """,
        (
            (
                8,
                (
                    "`feats[b] = (feats[b] - span.mean(0)) / span.std(0).clamp(min=1e-5)` in `forward` "
                    "changes the caller's `feats`. Write into a copy."
                ),
            ),
        ),
    ),
    Invalid(
        "a view of the initial condition",
        """
        import torch

        def integrate(initial: torch.Tensor, steps: int) -> torch.Tensor:
            grid = initial.transpose(0, 1).reshape(4, -1)
            for _ in range(steps):
                grid[:, 1:-1] = grid[:, 1:-1] + 0.1
            return grid.sum()
        """,
        (
            (
                6,
                (
                    "`grid[:, 1:-1] = grid[:, 1:-1] + 0.1` in `integrate` changes the caller's `initial` "
                    "(`grid[:, 1:-1]` shares its storage). Write into a copy."
                ),
            ),
        ),
    ),
    Invalid(
        "a step through another name",
        """
        import torch
        from torch import nn

        class Add(nn.Module):
            def forward(self, tokens, position):
                h = tokens
                h += position.unsqueeze(0)
                return torch.relu(h)
        """,
        (
            (
                7,
                (
                    "`h += position.unsqueeze(0)` in `forward` changes the caller's `tokens` (`h` shares "
                    "its storage). Write into a copy."
                ),
            ),
        ),
    ),
    Invalid(
        "a method with an underscore, whose result is what is returned",
        """
        import torch

        def masked_loss(logits: torch.Tensor, labels: torch.Tensor):
            ignored = labels == -100
            return torch.nn.functional.cross_entropy(logits, labels.masked_fill_(ignored, 0))

        def halve(x: torch.Tensor):
            return x.mul_(0.5).exp()

        def act(x: torch.Tensor):
            return torch.nn.functional.relu(x, inplace=True) + 1
        """,
        (
            (
                5,
                (
                    "`labels.masked_fill_(ignored, 0)` in `masked_loss` changes the caller's `labels`. "
                    "Write into a copy."
                ),
            ),
            (8, "`x.mul_(0.5)` in `halve` changes the caller's `x`. Write into a copy."),
            (
                11,
                (
                    "`torch.nn.functional.relu(x, inplace=True)` in `act` changes the caller's `x`. Write "
                    "into a copy."
                ),
            ),
        ),
    ),
    Invalid(
        "a copy was made and the original is written",
        """
        import torch
        from torch import nn

        class Clip(nn.Module):
            def forward(self, x):
                y = x.clone()
                x[x > 1] = 1
                return x + y.detach()
        """,
        ((7, "`x[x > 1] = 1` in `forward` changes the caller's `x`. Write into a copy."),),
    ),
    Invalid(
        "a copy on one path only",
        """
        import torch

        def shift(labels: torch.Tensor, is_decoder: bool):
            if is_decoder:
                labels = labels[:, 1:].clone()
            mask = labels != -100
            labels[labels == -100] = 0
            return (labels * mask).sum()
        """,
        (
            (
                7,
                (
                    "`labels[labels == -100] = 0` in `shift` changes the caller's `labels`. Write into a "
                    "copy."
                ),
            ),
        ),
    ),
    Invalid(
        "the items of the caller's dict, and a tensor in it",
        """
        import torch
        from torch import nn

        class Hetero(nn.Module):
            def forward(self, x_dict, edges):
                for kind, x in x_dict.items():
                    x_dict[kind] = self.lin[kind](x)
                return self.conv(x_dict, edges)

        def draw(sample: dict[str, torch.Tensor]):
            mask = sample["mask"].numpy()
            mask[mask == 255] = 0
            return mask.sum()
        """,
        (
            (
                7,
                (
                    "`x_dict[kind] = self.lin[kind](x)` in `forward` changes the caller's `x_dict`. Write "
                    "into a copy."
                ),
            ),
            (
                12,
                (
                    "`mask[mask == 255] = 0` in `draw` changes the caller's `sample` (`mask[mask == 255]` "
                    "shares its storage). Write into a copy."
                ),
            ),
        ),
    ),
    Invalid(
        "a helper one call away",
        """
        import torch
        from torch import nn

        def zscore(img):
            img[:, 0, :, :] = (img[:, 0, :, :] - 0.4) / 0.2
            return img

        class Loss(nn.Module):
            def forward(self, prediction, target):
                a = zscore(prediction)
                return (a - target).square().mean()
        """,
        (
            (
                10,
                "`zscore(prediction)` in `forward` changes the caller's `prediction`. Write into a copy.",
            ),
        ),
    ),
    Invalid(
        "a method of the object that fills holes",
        """
        import torch
        from torch import nn

        class Head(nn.Module):
            def _blank(self, score, where):
                score.masked_fill_(where, float("-inf"))
                return score

            def forward(self, score, where):
                return self._blank(score.squeeze(-1), where).softmax(-1)
        """,
        (
            (
                10,
                (
                    "`self._blank(score.squeeze(-1), where)` in `forward` changes the caller's `score`. "
                    "Write into a copy."
                ),
            ),
        ),
    ),
    Invalid(
        "a block of this file under a residual connection",
        """
        import torch
        from torch import nn

        class Inner(nn.Module):
            def forward(self, h):
                h -= h.mean(-1, keepdim=True)
                return h

        class Outer(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = Inner()

            def forward(self, x):
                h = torch.relu(x)
                y = self.inner(h)
                return h + y
        """,
        (
            (
                16,
                (
                    "`self.inner(h)` writes into `h`, which is read again below. Write into a copy in "
                    "`forward`."
                ),
            ),
        ),
    ),
    Invalid(
        "a method that is given what it fills, with the option `expected`",
        """
        import torch
        from torch import Tensor

        class Greedy:
            def step(self, tokens: Tensor, scores: Tensor):
                scores += tokens.float()
                return tokens.argmax(-1)
        """,
        (
            (
                6,
                "`scores += tokens.float()` in `step` changes the caller's `scores`. Write into a copy.",
            ),
        ),
        options={"expected": True},
    ),
)
