"""The cases of the rule `argument-fallback`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "None asks for another mode, and another form of the same input",
        """
        import torch
        from torch import Tensor


        def rounded(ref: Tensor, source: Tensor | None = None):
            if source is None:
                source = ref
                dtype = torch.bfloat16
            else:
                dtype = ref.dtype
            return source.to(dtype) * 2


        def attacked(model, labels: Tensor, targets: Tensor | None = None):
            targeted, wanted = False, labels
            if targets is not None:
                targeted, wanted = True, targets
            return model(wanted) * (1 if targeted else -1)


        def distilled(student, x: Tensor, teacher_x: Tensor | None = None):
            return student(x) - student(x if teacher_x is None else teacher_x).detach()


        def planned(full_page_table: Tensor, local_page_table: Tensor | None = None):
            table = full_page_table if local_page_table is None else local_page_table
            return table * 2
        """,
    ),
    Valid(
        "all pairs of one set with itself, indices, and a basis that only a state is updated with",
        """
        import torch


        def distances(x: torch.Tensor, z: torch.Tensor | None = None):
            z = x if z is None else z
            return torch.sub(1, torch.mm(x, z.transpose(0, 1)))


        def gaps(x: torch.Tensor, z: torch.Tensor | None = None):
            if z is None:
                z = x
            return (x.unsqueeze(1) - z.unsqueeze(0)).norm(dim=-1)


        def lengths(offsets: torch.LongTensor, on_host: torch.LongTensor | None = None):
            kept = on_host if on_host is not None else offsets
            return kept[1:] - kept[:-1]


        def rotate(q: torch.Tensor, out_q: torch.Tensor | None = None):
            out_q = q if out_q is None else out_q
            return kernel(q, out_q)


        def extend(cell: torch.Tensor, cell_cpu: torch.Tensor | None = None):
            cell_cpu = cell if cell_cpu is None else cell_cpu
            return cell_cpu.tolist()


        def project(self, grad: torch.Tensor, basis: torch.Tensor | None = None):
            self.update(x=grad if basis is None else basis)
            return self.low_rank(grad)
        """,
    ),
    Valid(
        "an argument that callers in the file leave out on purpose",
        """
        import torch


        def loss(old: torch.Tensor, sampled: torch.Tensor | None = None):
            if sampled is not None:
                check(sampled)
            return old - (old if sampled is None else sampled)


        class Decoder:
            def forward(self, x: torch.Tensor, points: torch.Tensor | None = None):
                points = x if points is None else points
                return self.cross(x, points)

            def predict(self, x: torch.Tensor, points: torch.Tensor | None = None):
                return self.layer(x, points=points)
        """,
    ),
    Valid(
        "placeholders that a kernel does not read, or that a flag switches off",
        """
        import torch


        def gather(ids: torch.Tensor, table: torch.Tensor, weight: torch.Tensor | None = None):
            out = torch.empty_like(ids)
            gather_kernel[(ids.shape[0],)](ids, table, weight if weight is not None else table, out)
            return out


        def scale(x: torch.Tensor, factor: torch.Tensor | None = None):
            has_factor = factor is not None
            if factor is None:
                factor = x
            return torch.ops.own.scale(x, factor, has_factor)


        def rows(x: torch.Tensor, count: int, table: torch.Tensor | None = None):
            return x.repeat(table.numel() if table is not None else count)
        """,
    ),
    Valid(
        "an option that changes a copy of the other argument where it is given",
        """
        import torch


        def sample(prior: torch.Tensor, lengths: torch.Tensor | None = None):
            state = prior
            if lengths is not None:
                state = torch.mul(state, lengths)
            return state


        def rates(given: torch.Tensor, scale: torch.Tensor | None = None):
            rate = given
            if scale is None:
                return torch.poisson(rate)
            rate = rate * scale
            return torch.poisson(rate)
        """,
    ),
    Valid(
        "a required parameter",
        """
        def blend(host, *, seed_input):
            return host * seed_input.tanh()
        """,
    ),
    Valid(
        "a fresh tensor as the default",
        """
        def forward(self, x: Tensor, bias: Tensor | None = None):
            if bias is None:
                bias = torch.zeros(x.shape[-1])
            return x + bias
        """,
    ),
    Valid(
        "something computed from the other parameter",
        """
        def forward(self, x, mask=None):
            mask = x.new_ones(x.shape[:2]) if mask is None else mask
            return x * mask
        """,
    ),
    Valid(
        "an attribute of the object as the default",
        """
        def forward(self, x, gain=None):
            gain = self.gain if gain is None else gain
            return x * gain
        """,
    ),
    Valid(
        "sizes of a constructor",
        """
        class Mlp(nn.Module):
            def __init__(self, in_features, hidden_features=None, act=GELU, gate_act=None):
                hidden_features = hidden_features or in_features
                gate_act = act if gate_act is None else gate_act
                self.fc = nn.Linear(in_features, hidden_features)
        """,
    ),
    Valid(
        "a size of a function",
        """
        def make_divisible(v, divisor=8, min_value: int | None = None):
            min_value = min_value or divisor
            return max(min_value, v)
        """,
    ),
    Valid(
        "a format next to the image that is a tensor",
        """
        def pad(image: np.ndarray, input_format: str, data_format: str | None = None):
            data_format = data_format if data_format is not None else input_format
            return to_format(image, data_format)
        """,
    ),
    Valid(
        "an optional addend",
        """
        def forward(self, hidden: Tensor, position: Tensor | None = None):
            query = hidden + position if position is not None else hidden
            return self.project(query)
        """,
    ),
    Valid(
        "an attention that attends to itself without a context",
        """
        def forward(self, x: Tensor, context: Tensor | None = None):
            context = x if context is None else context
            return self.attend(self.q(x), self.kv(context))
        """,
    ),
    Valid(
        "either-or inputs",
        """
        def forward(self, input_ids: Tensor | None = None, embeds: Tensor | None = None):
            given = input_ids if input_ids is not None else embeds
            return given.shape
        """,
    ),
    Valid(
        "a second input of an attention, whatever its name",
        """
        class MultiQueryAttention(nn.Module):
            def forward(self, x, m: Optional[torch.Tensor] = None):
                m = m if m is not None else x
                return self.query(x) @ self.key(m)
        """,
    ),
    Valid(
        "the other side of a relation",
        """
        def forward(self, source_boxes: Tensor, target_boxes: Tensor = None):
            if target_boxes is None:
                target_boxes = source_boxes
            return relative(source_boxes, target_boxes)


        def undistort(points, K: Tensor, new_K: Tensor | None = None):
            return points @ (K if new_K is None else new_K)
        """,
    ),
    Valid(
        "a stride next to layers",
        """
        from torch import nn


        def create_pool(kernel_size, stride=None):
            stride = stride or kernel_size
            return nn.AvgPool2d(kernel_size, stride)
        """,
    ),
    Valid(
        "a key projected by a matrix in an attention",
        """
        class SharedKeyAttention(nn.Module):
            def forward(self, x, m: Optional[torch.Tensor] = None):
                m = m if m is not None else x
                rows = self.flat(m)
                scores = torch.einsum("bmd,dk->bmk", rows, self.key_proj)
                return scores
        """,
    ),
    Valid(
        "a residual branch, which is the input by convention",
        """
        def forward(self, x, shortcut: Optional[torch.Tensor] = None, children=None):
            if shortcut is None:
                shortcut = x
            return self.conv(x) + shortcut
        """,
    ),
    Valid(
        "bounds that move like those of range",
        """
        import torch


        def noise(shape, low, high=None):
            if high is None:
                low, high = 0.0, low
            return torch.empty(shape).uniform_(low, high)


        class Jitter(nn.Module):
            def forward(self, low, high=None):
                if high is None:
                    high = low
                    low = 0.0
                return low + (high - low) * torch.rand(())
        """,
    ),
    Valid(
        "numbers that are passed on to a tensor function",
        """
        import torch


        def clip(x, low: float, high: float | None = None):
            high = low if high is None else high
            return torch.clamp(x, low, high)


        def squeeze(x, low, high=None):
            high = low if high is None else high
            return torch.clamp(x, low, high)
        """,
    ),
    Valid(
        "an addend in another type",
        """
        def forward(self, hidden: Tensor, position: Tensor | None = None):
            return hidden + position.to(hidden.dtype) if position is not None else hidden
        """,
    ),
    Valid(
        "an output that only an argument changes",
        """
        def forward(self, x: Tensor, gain: Tensor | None = None):
            out = x
            if gain is not None:
                out = x * gain
            return out
        """,
    ),
    Valid(
        "a stride next to a kernel size where the contract is adopted",
        """
        from torch import nn


        def create_pool(kernel_size, stride=None):
            stride = stride or kernel_size
            return nn.AvgPool2d(kernel_size, stride)


        def make_divisible(v, divisor: int, least: int | None = None):
            least = least or divisor
            return max(least, v)
        """,
        options={"adopted": True},
    ),
    Valid(
        "a fallback of a nested function's own parameter",
        """
        def outer(x: Tensor, u: Tensor | None = None):
            def inner(u: Tensor):
                return u
            return inner(x), u
        """,
    ),
)

INVALID = (
    Invalid(
        "an if statement",
        """
        def blend_multiply(
            host_features: torch.Tensor,
            alpha: torch.Tensor,
            seed_input: torch.Tensor | None = None,  # Defaults to host_features
        ) -> torch.Tensor:
            if seed_input is None:
                seed_input = host_features
            return host_features * (alpha * seed_input.tanh())
        """,
        ((4, "`seed_input` silently becomes `host_features` if a caller omits it"),),
        fixed="""
        def blend_multiply(
            host_features: torch.Tensor,
            alpha: torch.Tensor,
            *, seed_input: torch.Tensor,  # Defaults to host_features
        ) -> torch.Tensor:
            if seed_input is None:
                seed_input = host_features
            return host_features * (alpha * seed_input.tanh())
        """,
    ),
    Invalid(
        "a conditional expression in a method",
        """
        class Valve(nn.Module):
            def forward(
                self, h, *, u: Optional[Tensor] = None,
                scale=1.0,
            ):
                u = h if u is None else self.norm(u)
                return h * u * scale
        """,
        ((3, "`u` silently becomes `h` if a caller omits it"),),
        fixed="""
        class Valve(nn.Module):
            def forward(
                self, h, *, u: Tensor,
                scale=1.0,
            ):
                u = h if u is None else self.norm(u)
                return h * u * scale
        """,
    ),
    Invalid(
        "a reference that becomes the input, before other parameters",
        """
        def forward(self, x, reference: Optional[torch.Tensor] = None, children=None):
            if reference is None:
                reference = x
            return self.conv(x) + reference
        """,
        ((1, "`reference` silently becomes `x` if a caller omits it"),),
    ),
    Invalid(
        "a detached copy, under another name",
        """
        import torch


        def gate(host, seed=None):
            source = seed if seed is not None else host.detach()
            return torch.sigmoid(source) * host
        """,
        ((4, "`seed` silently becomes `host` if a caller omits it"),),
        options={"adopted": True},
    ),
    Invalid(
        "an `or` and a helper named `default`",
        """
        def forward(self, x, u=None, w=None):
            u = u or x
            return self.mix(u, default(w, x))
        """,
        (
            (1, "`u` silently becomes `x` if a caller omits it"),
            (1, "`w` silently becomes `x` if a caller omits it"),
        ),
        options={"adopted": True},
    ),
    Invalid(
        "a context without a convention",
        """
        def forward(self, x, context=None):
            if not exists(context):
                context = x
            return self.mix(x, context)
        """,
        ((1, "`context` silently becomes `x` if a caller omits it"),),
        options={"adopted": True, "by_convention": []},
    ),
    Invalid(
        "a conversion that reads only the type of the other parameter",
        """
        def mix(host: Tensor, reference: Tensor | None = None) -> Tensor:
            ref = host if reference is None else reference.to(host.dtype)
            return host * ref.sigmoid()
        """,
        ((1, "`reference` silently becomes `host` if a caller omits it"),),
        fixed="""
        def mix(host: Tensor, *, reference: Tensor) -> Tensor:
            ref = host if reference is None else reference.to(host.dtype)
            return host * ref.sigmoid()
        """,
    ),
    Invalid(
        "another name for the result, in each layout of an if",
        """
        def both(h: Tensor, u: Tensor | None = None):
            if u is None:
                seed = h
            else:
                seed = u.detach()
            return h * seed


        def before(h: Tensor, u: Tensor | None = None):
            seed = h.detach()
            if u is not None:
                seed = u
            return h * seed


        async def alias(h: Tensor, u: Tensor | None = None):
            seed = u
            if seed is None:
                seed = h
            return h * seed
        """,
        (
            (1, "`u` silently becomes `h` if a caller omits it"),
            (9, "`u` silently becomes `h` if a caller omits it"),
            (16, "`u` silently becomes `h` if a caller omits it"),
        ),
    ),
    Invalid(
        "tensors by use: of the result, of the other parameter, by a layer, by an alias of the type",
        """
        import torch
        from torch import nn

        Features = torch.Tensor


        def by_result(h, u=None):
            seed = h if u is None else u
            return h * torch.tanh(seed)


        def by_other(h, u=None):
            u = u if u is not None else h
            return u.reshape(h.shape)


        class Valve(nn.Module):
            def __init__(self, width):
                self.norm = nn.LayerNorm(width)

            def blend(self, h, u=None):
                u = h if u is None else u
                return h * self.norm(u)


        def by_alias(h: Features, u: "Features | None" = None):
            return combine(h, u or h)


        def by_named_type(h: Features, u: Features | None = None):
            return combine(h, u or h)
        """,
        (
            (7, "`u` silently becomes `h` if a caller omits it"),
            (12, "`u` silently becomes `h` if a caller omits it"),
            (21, "`u` silently becomes `h` if a caller omits it"),
            (30, "`u` silently becomes `h` if a caller omits it"),
        ),
        options={"adopted": True},
    ),
    Invalid(
        "what is no key of an attention, in a class of that name",
        """
        class AttentionSeed(nn.Module):
            def forward(self, host, seed_input: Tensor | None = None):
                if seed_input is None:
                    seed_input = host
                return self.scale * seed_input + host
        """,
        ((2, "`seed_input` silently becomes `host` if a caller omits it"),),
    ),
    Invalid(
        "no sign of a tensor, where the contract is adopted",
        """
        def a(h, u=None):
            if u is None:
                u = h
            return multiply(h, u)


        class Blend:
            async def b(self, h, u=None):
                return await self.mix(h if u is None else f(u))

            def c(self, h, *, u=None):
                u = u or h
                return self.mix(h, u)


        def d(h, left, right=None):
            right = right if right is not None else left
            return mix(h, left, right)
        """,
        (
            (1, "`u` silently becomes `h` if a caller omits it"),
            (8, "`u` silently becomes `h` if a caller omits it"),
            (11, "`u` silently becomes `h` if a caller omits it"),
            (16, "`right` silently becomes `left` if a caller omits it"),
        ),
        options={"adopted": True},
    ),
)
