"""Each monitor sees the scripts that break its contract, and is quiet on those that keep it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.watched_scripts import watch_script

from esper_audit.watch.monitor import discover_monitors

pytestmark = pytest.mark.torch

LOUD: dict[str, tuple[str, str]] = {
    "a head replaced after the optimizer was made": (
        "optimizer-parameters stale",
        """
        model[3] = nn.Linear(8, 3)
        for step in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
    "a head that no optimizer holds": (
        "optimizer-parameters missing",
        """
        optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1)
        for step in range(4):
            model.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
    "everything that the optimizer holds is frozen": (
        "optimizer-parameters frozen",
        """
        model.requires_grad_(False)
        bias = torch.zeros(3, requires_grad=True)
        for step in range(3):
            model.zero_grad()
            F.cross_entropy(model(x) + bias, y).backward()
            optimizer.step()
        """,
    ),
    "a step without any gradient": (
        "optimizer-parameters no-gradient",
        """
        for step in range(3):
            optimizer.zero_grad()
            with torch.no_grad():
                loss = F.cross_entropy(model(x), y)
            optimizer.step()
        """,
    ),
    "a learning rate of zero": (
        "step-applied unchanged",
        """
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        for step in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
    "updates below the resolution of bfloat16": (
        "step-applied unchanged",
        """
        model = nn.Linear(6, 3).bfloat16()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)
        for step in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(x.bfloat16()).float(), y).backward()
            optimizer.step()
        """,
    ),
    "a layer frozen with its gradient left": (
        "step-applied frozen-changed",
        """
        F.cross_entropy(model(x), y).backward()
        model[0].requires_grad_(False)
        optimizer.step()
        """,
    ),
    "zero_grad is missing": (
        "gradients-cleared not-cleared",
        """
        for step in range(3):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
    "zero_grad of another model": (
        "gradients-cleared not-cleared",
        """
        other = nn.Linear(2, 2)
        for step in range(3):
            other.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
    "accumulation without a mean": (
        "accumulation-averaged summed",
        """
        for step in range(3):
            optimizer.zero_grad()
            for part in range(4):
                loss = F.cross_entropy(model(x[part * 6 : part * 6 + 6]), y[part * 6 : part * 6 + 6])
                loss.backward()
            optimizer.step()
        """,
    ),
    "accumulation of a mean of one's own": (
        "accumulation-averaged summed",
        """
        for step in range(3):
            optimizer.zero_grad()
            for part in range(2):
                (model(x[part::2]).logsumexp(1) ** 2).mean().backward()
            optimizer.step()
        """,
    ),
    "a loss that is not finite": (
        "numbers-finite loss",
        """
        model[3].weight.data.fill_(float("inf"))
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        """,
    ),
    "a gradient that is not finite": (
        "numbers-finite gradient",
        """
        weight = nn.Parameter(torch.zeros(3))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        weight.norm().backward()
        (weight.sqrt().sum()).backward()
        optimizer.step()
        """,
    ),
    "training goes on in eval mode": (
        "modes-right trained-in-eval-mode",
        """
        for epoch in range(3):
            for step in range(2):
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                model(x)
        """,
    ),
    "an evaluation in train mode": (
        "modes-right evaluated-in-train-mode",
        """
        for epoch in range(2):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            with torch.no_grad():
                for part in x.chunk(3):
                    model(part)
        """,
    ),
    "an evaluation that builds graphs": (
        "modes-right with-gradients",
        """
        for epoch in range(2):
            model.train()
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            model.eval()
            right = [model(part).argmax(1) for part in x.chunk(4)]
        """,
    ),
    "total += loss": (
        "graph-released kept",
        """
        total = 0.0
        for step in range(8):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss
        """,
    ),
    "losses in a list": (
        "graph-released kept",
        """
        losses = []
        for step in range(8):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss)
        """,
    ),
    "softmax before cross-entropy": (
        "loss-inputs probabilities",
        """
        nn.CrossEntropyLoss()(model(x).softmax(1), y)
        """,
    ),
    "sigmoid before the loss with logits": (
        "loss-inputs probabilities",
        """
        nn.BCEWithLogitsLoss()(model(x)[:, 0].sigmoid(), (y > 0).float())
        """,
    ),
    "logits for nll_loss": ("loss-inputs not-logarithms", "F.nll_loss(5 * model(x), y)"),
    "shapes that broadcast": (
        "loss-inputs broadcast",
        """
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            F.mse_loss(model(x)[:, :1], y.float())
        """,
    ),
    "clipping after the step": (
        "steps-ordered late-clip",
        """
        for step in range(2):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        """,
    ),
    "the scheduler before the optimizer": (
        "steps-ordered early-scheduler",
        """
        import warnings
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step()
        optimizer.step()
        """,
    ),
    "zero_grad between backward and step": (
        "steps-ordered cleared-early",
        """
        for step in range(2):
            F.cross_entropy(model(x), y).backward()
            optimizer.zero_grad(set_to_none=False)
            optimizer.step()
        """,
    ),
    "a generator that is seeded for each epoch": (
        "data-varies same-order",
        """
        from torch.utils.data import DataLoader, TensorDataset
        generator = torch.Generator()
        loader = DataLoader(TensorDataset(x, y), 4, shuffle=True, generator=generator)
        for epoch in range(2):
            generator.manual_seed(0)
            for batch in loader:
                pass
        """,
    ),
    "a distributed sampler without its epoch": (
        "data-varies epoch-not-set",
        """
        from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
        data = TensorDataset(x, y)
        sampler = DistributedSampler(data, num_replicas=2, rank=0)
        loader = DataLoader(data, 4, sampler=sampler)
        for epoch in range(2):
            for batch in loader:
                pass
        """,
    ),
    "a checkpoint without the optimizer": (
        "resume-complete incomplete",
        """
        import io
        optimizer = torch.optim.Adam(model.parameters())
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        torch.save({"epoch": 1, "model": model.state_dict()}, io.BytesIO())
        """,
    ),
    "a checkpoint without the scheduler": (
        "resume-complete incomplete",
        """
        import io
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        scheduler.step()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, io.BytesIO())
        """,
    ),
}  # fmt: skip

# What the same mistake breaks as well: the new head is in no optimizer.
CAUSED = {"optimizer-parameters stale": ["optimizer-parameters missing"]}

QUIET: dict[str, tuple[str, str]] = {
    "an ordinary loop with a scheduler, clipping and a checkpoint": (
        "steps-ordered",
        """
        import io
        from torch.utils.data import DataLoader, TensorDataset
        loader = DataLoader(TensorDataset(x, y), 6, shuffle=True)
        optimizer = torch.optim.AdamW(model.parameters())
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
        for epoch in range(4):
            model.train()
            total = 0.0
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(inputs), targets)
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                total += loss.item()
            scheduler.step()
            model.eval()
            with torch.no_grad():
                right = [model(part).argmax(1) for part in x.chunk(4)]
            torch.save(
                {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                 "scheduler": scheduler.state_dict()}, io.BytesIO())
        """,
    ),
    "accumulation that divides": (
        "gradients-cleared",
        """
        for step in range(1, 13):
            loss = F.cross_entropy(model(x), y) / 4
            loss.backward()
            if step % 4 == 0:
                optimizer.step()
                optimizer.zero_grad()
        """,
    ),
    "accumulated gradients that are divided before the step": (
        "accumulation-averaged",
        """
        for step in range(4):
            optimizer.zero_grad()
            for part in range(4):
                F.cross_entropy(model(x[part::4]), y[part::4]).backward()
            for parameter in model.parameters():
                parameter.grad /= 4
            nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            optimizer.step()
        """,
    ),
    "reinforcement learning: rollouts without gradients, epochs over their parts, a target network": (
        "gradients-cleared",
        """
        from copy import deepcopy
        model[2] = nn.Identity()
        critic = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
        target = deepcopy(critic).requires_grad_(False)
        both = [*model.parameters(), *critic.parameters()]
        optimizer = torch.optim.Adam(both, lr=0.01)
        for iteration in range(3):
            seen, taken, rewards = [], [], []
            with torch.no_grad():
                for moment in range(4):
                    state = torch.randn(6)
                    action = torch.distributions.Categorical(logits=model(state)).sample()
                    seen.append(state), taken.append(action), rewards.append(float(action == 1))
            states, actions = torch.stack(seen), torch.stack(taken)
            returns = torch.tensor(rewards) + 0.9 * target(states).squeeze(1)
            for epoch in range(2):
                for part in torch.randperm(4).chunk(2):
                    policy = torch.distributions.Categorical(logits=model(states[part]))
                    value = critic(states[part]).squeeze(1)
                    gain = (returns[part] - value).detach()
                    loss = F.mse_loss(value, returns[part]) - (policy.log_prob(actions[part]) * gain).mean()
                    optimizer.zero_grad()
                    (loss - 0.01 * policy.entropy().mean()).backward()
                    nn.utils.clip_grad_norm_(both, 0.5)
                    optimizer.step()
            for old, new in zip(target.parameters(), critic.parameters()):
                old.lerp_(new.data, 0.1)
        """,
    ),
    "the losses of several tasks of one batch": (
        "gradients-cleared",
        """
        for step in range(4):
            optimizer.zero_grad()
            for weight in (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([3.0, 2.0, 1.0])):
                F.cross_entropy(model(x), y, weight=weight).backward()
            optimizer.step()
        """,
    ),
    "a GAN with two optimizers": (
        "gradients-cleared",
        """
        judge = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
        second = torch.optim.Adam(judge.parameters())
        real = torch.randn(24, 3)
        for step in range(4):
            second.zero_grad()
            F.softplus(-judge(real)).mean().backward()
            F.softplus(judge(model(x).detach())).mean().backward()
            second.step()
            optimizer.zero_grad()
            F.softplus(-judge(model(x))).mean().backward()
            optimizer.step()
        """,
    ),
    "a frozen backbone in eval mode": (
        "optimizer-parameters",
        """
        backbone = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)).requires_grad_(False)
        head = nn.Linear(8, 3)
        whole = nn.Sequential(backbone, nn.Dropout(0.1), head)
        backbone.eval()
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1, weight_decay=0.1)
        for step in range(5):
            optimizer.zero_grad()
            F.cross_entropy(whole(x), y).backward()
            optimizer.step()
        """,
    ),
    "an EMA copy and a teacher in train mode": (
        "modes-right",
        """
        from copy import deepcopy
        teacher = deepcopy(model).requires_grad_(False)
        for step in range(4):
            optimizer.zero_grad()
            with torch.no_grad():
                wanted = [teacher(part) for part in x.chunk(3)]
            F.mse_loss(model(x), torch.cat(wanted)).backward()
            optimizer.step()
            with torch.no_grad():
                for old, new in zip(teacher.parameters(), model.parameters()):
                    old.lerp_(new, 0.1)
        """,
    ),
    "layer-wise learning rates, a warm-up from 0, gradients cleared by hand": (
        "step-applied",
        """
        groups = [{"params": model[0].parameters(), "lr": 0.0}, {"params": model[3].parameters()}]
        optimizer = torch.optim.SGD(groups, lr=0.1)
        for step in range(5):
            for parameter in model.parameters():
                parameter.grad = None
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
    "tied weights": (
        "optimizer-parameters",
        """
        class Tied(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 6)
                self.last.weight = self.first.weight
            def forward(self, h):
                return self.last(self.first(h).relu())
        model = Tied()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
    "LBFGS with a closure": (
        "optimizer-parameters",
        """
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss
        for step in range(4):
            optimizer.step(closure)
        """,
    ),
    "bfloat16 autocast and a scaler that is off": (
        "numbers-finite",
        """
        scaler = torch.amp.GradScaler("cpu", enabled=False)
        for step in range(4):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        """,
    ),
    "checkpointed activations": (
        "modes-right",
        """
        from torch.utils.checkpoint import checkpoint
        for step in range(4):
            optimizer.zero_grad()
            h = checkpoint(model[:2], x, use_reentrant=False)
            F.cross_entropy(model[2:](h), y).backward()
            optimizer.step()
        """,
    ),
    "a latent that no module holds": (
        "optimizer-parameters",
        """
        latent = torch.zeros(24, 6, requires_grad=True)
        optimizer = torch.optim.Adam([latent], lr=0.1)
        model.requires_grad_(False).eval()
        for step in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(latent), y).backward()
            optimizer.step()
        """,
    ),
    "a LoRA beside a frozen layer": (
        "optimizer-parameters",
        """
        class LoRA(nn.Module):
            def __init__(self, base):
                super().__init__()
                self.base = base.requires_grad_(False)
                self.down, self.up = nn.Linear(6, 2, bias=False), nn.Linear(2, 8, bias=False)
                nn.init.zeros_(self.up.weight)
            def forward(self, h):
                return self.base(h) + self.up(self.down(h))
        model[0] = LoRA(model[0])
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
        for step in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
    "log-probabilities, class probabilities as targets, sums for a loss": (
        "loss-inputs",
        """
        F.nll_loss(model(x).log_softmax(1), y)
        F.cross_entropy(model(x), model(x).softmax(1))
        F.kl_div(model(x).log_softmax(1), model(x).softmax(1), reduction="batchmean")
        for step in range(3):
            optimizer.zero_grad()
            for part in range(2):
                F.cross_entropy(model(x), y, reduction="sum").backward()
            optimizer.step()
        """,
    ),
    "weights are saved without an optimizer": (
        "optimizer-parameters",
        """
        import io
        optimizer = torch.optim.Adam(model.parameters())
        for step in range(2):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        torch.save(model.state_dict(), io.BytesIO())
        """,
    ),
    "a checkpoint of several files": (
        "resume-complete",
        """
        import io
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        for step in range(2):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
            for part in (model, optimizer, scheduler):
                torch.save(part.state_dict(), io.BytesIO())
        """,
    ),
    "set_epoch, and loaders in a fixed order": (
        "data-varies",
        """
        from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
        data = TensorDataset(x, y)
        sampler = DistributedSampler(data, num_replicas=2, rank=0)
        for loader in (DataLoader(data, 4, sampler=sampler), DataLoader(data, 4)):
            for epoch in range(2):
                sampler.set_epoch(epoch)
                for batch in loader:
                    pass
        """,
    ),
    "batch statistics are computed again for averaged weights": (
        "modes-right",
        """
        from torch.optim.swa_utils import AveragedModel, update_bn
        model[2] = nn.BatchNorm1d(8)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        averaged = AveragedModel(model)
        for step in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            averaged.update_parameters(model)
        update_bn([x, x, x], averaged)
        update_bn([x, x, x], model)
        """,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "code"), LOUD.values(), ids=LOUD)
def test_a_broken_loop_is_seen(tmp_path: Path, wanted: str, code: str) -> None:
    watched = watch_script(tmp_path, code)
    assert [code for code in watched.codes if code not in CAUSED.get(wanted, ())] == [wanted]
    assert {seen.place.path for seen in watched.seen} == {"train.py"}
    assert all(seen.place.line for seen in watched.seen)


@pytest.mark.parametrize(("monitor", "code"), QUIET.values(), ids=QUIET)
def test_what_looks_like_a_violation_and_is_none(tmp_path: Path, monitor: str, code: str) -> None:
    watched = watch_script(tmp_path, code)
    assert watched.codes == []
    assert watched.looks[monitor] > 0


def test_each_monitor_has_loud_scripts() -> None:
    by_ranks = {"ranks-agree"}
    assert {
        wanted.split()[0] for wanted, _ in LOUD.values()
    } == discover_monitors().keys() - by_ranks


EPOCHS = """
def train(steps):
    for step in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def evaluate():
    with torch.no_grad():
        for _ in range(2):
            model(x)


for epoch in range(2):
    train(2)
    model.eval()
    evaluate()
    model.train()
train(3)
"""


def test_the_hooks_of_calls_come_off_after_two_evaluations(tmp_path: Path) -> None:
    before = watch_script(tmp_path, EPOCHS, steps=1).looks["modes-right"]
    after = watch_script(tmp_path, EPOCHS + "train(9)\nevaluate()\n", steps=1)
    assert after.looks["modes-right"] == before
    assert watch_script(tmp_path, EPOCHS + "train(9)\n").looks["modes-right"] == before + 9


def test_a_change_of_mode_puts_them_on_again(tmp_path: Path) -> None:
    late = watch_script(tmp_path, EPOCHS + "train(9)\nmodel.eval()\ntrain(2)\n", steps=1)
    assert late.codes == ["modes-right trained-in-eval-mode"]
