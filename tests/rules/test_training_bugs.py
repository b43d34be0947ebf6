"""Bugs of training loops, ranks and silent defaults, in spellings of our own, and repaired.

A program is a diff: lines with `-` are those of the bug, lines with `+` those of the repair.
"""

from __future__ import annotations

import pytest
from support.marked_bugs import MarkedBug, reported


def bug(name: str, diff: str) -> MarkedBug:
    """Return the bug of a diff, with its repair."""
    lines = [line[8:] for line in diff.strip("\n").splitlines()]
    old = [line[2:] for line in lines if line[:1] != "+"]
    new = [line[2:] for line in lines if line[:1] != "-"]
    return MarkedBug(name, "\n".join(old), "\n".join(new))


BUGS = (
    bug(
        "gradients of a loop, first",
        """
          import torch, torch.nn as nn, torch.optim as optim
          class Trainer:
              def __init__(self, model, lr):
                  self.model = model
                  self.criterion = nn.CrossEntropyLoss()
                  self.optim = optim.SGD(self.model.parameters(), lr=lr)
              def train_epoch(self, loader):
                  self.model.train()
                  for inputs, labels in loader:
                      outputs = self.model(inputs)
                      loss = self.criterion(outputs, labels)
        +             self.optim.zero_grad()
                      loss.backward()  # bug: missing-zero-grad
                      self.optim.step()
        """,
    ),
    bug(
        "gradients of a loop, second",
        """
          import torch
          def train(model, loader, epochs, optimizer, scheduler, device):
              for epoch in range(epochs):
                  optimizer.zero_grad()
                  for batch in loader:
                      batch = batch.to(device)
                      with torch.autocast("cuda"):
                          loss = model(batch).loss
        +             optimizer.zero_grad()
                      loss.backward()  # bug: missing-zero-grad
                      optimizer.step()
                  scheduler.step()
        """,
    ),
    bug(
        "gradients of a loop, third",
        """
          import torch
          model = torch.nn.Linear(3, 1)
          opt = torch.optim.Adam(model.parameters())
          for i in range(100):
              pred = model(x)
              err = ((pred - y) ** 2).mean()
        -     opt.zero_grad
        +     opt.zero_grad()
              err.backward()  # bug: missing-zero-grad
              opt.step()
        """,
    ),
    bug(
        "gradients of a loop, fourth",
        """
          import torch
          class Agent:
              def __init__(self, net):
                  self.net = net
                  self.opt = torch.optim.RMSprop(net.parameters())
              def learn(self, batch):
                  q = self.net(batch.obs)
                  td = (q - batch.target).pow(2).mean()
        +         self.opt.zero_grad()
                  td.backward()  # bug: missing-zero-grad
                  torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
                  self.opt.step()
                  return td.item()
              def run(self, env, steps):
                  for t in range(steps):
                      batch = env.sample()
                      self.learn(batch)
        """,
    ),
    bug(
        "a sum of losses, first",
        """
          import torch
          def fit(model, loader, opt, crit):
              running_loss = 0
              for x, y in loader:
                  opt.zero_grad()
                  l = crit(model(x), y)
                  l.backward()
                  opt.step()
        -         running_loss += l * x.size(0)  # bug: loss-keeps-graph
        +         running_loss += l.item() * x.size(0)
              print(running_loss / len(loader.dataset))
        """,
    ),
    bug(
        "a sum of losses, second",
        """
          import torch
          class T:
              def __init__(self):
                  self.losses = []
              def fit(self, loader):
                  for x, y in loader:
                      self.opt.zero_grad()
                      loss = self.crit(self.model(x), y)
                      loss.backward()
                      self.opt.step()
        -             self.losses.append(loss)  # bug: loss-keeps-graph
        +             self.losses.append(loss.detach())
        """,
    ),
    bug(
        "a sum of losses, third",
        """
          import torch
          def fit(model, loader, opt):
              stats = {"loss": 0.0}
              for x in loader:
                  opt.zero_grad()
                  recon, mu, logvar = model(x)
                  rec = torch.nn.functional.mse_loss(recon, x)
                  kl = -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())
                  loss = rec + kl
                  loss.backward()
                  opt.step()
        -         stats["loss"] = stats["loss"] + loss  # bug: loss-keeps-graph
        +         stats["loss"] = stats["loss"] + float(loss)
        """,
    ),
    bug(
        "a sum of losses, fourth",
        """
          import torch
          def fit(model, loader, opt):
              total_rec = 0.0
              for x in loader:
                  opt.zero_grad()
                  recon, mu, logvar = model(x)
                  rec = torch.nn.functional.mse_loss(recon, x)
                  kl = -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())
                  loss = rec + kl
                  loss.backward()
                  opt.step()
        -         total_rec += rec  # bug: loss-keeps-graph
        +         total_rec += rec.item()
        """,
    ),
    bug(
        "a sum of losses, fifth",
        """
          import torch
          def fit(model, loader, opt, accelerator):
              total = 0
              for step, batch in enumerate(loader):
                  outputs = model(**batch)
                  loss = outputs.loss
        -         total += loss  # bug: loss-keeps-graph
        +         total += loss.detach()
                  accelerator.backward(loss)
                  opt.step()
                  opt.zero_grad()
        """,
    ),
    bug(
        "an optimizer, first",
        """
          import torch, torchvision
          from torch import nn
          model = torchvision.models.resnet50(weights="DEFAULT")
        - optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
          model.fc = nn.Linear(model.fc.in_features, 10)  # bug: optimizer-before-replacement
          model = model.cuda()
        + optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
          for x, y in loader:
              optimizer.zero_grad()
              nn.functional.cross_entropy(model(x), y).backward()
              optimizer.step()
        """,
    ),
    bug(
        "an optimizer, second",
        """
          import torch
          from torch import nn
          class Fine:
              def __init__(self, backbone, n):
                  self.model = backbone
        -         self.optimizer = torch.optim.AdamW(params=self.model.parameters(), lr=1e-4)
                  self.reset_head(n)  # bug: optimizer-before-replacement
        +         self.optimizer = torch.optim.AdamW(params=self.model.parameters(), lr=1e-4)
              def reset_head(self, n):
                  self.model.classifier[-1] = nn.Linear(512, n)
        """,
    ),
    bug(
        "an optimizer, third",
        """
          import torch
          def make_optimizer(net, lr):
              return torch.optim.Adam(net.parameters(), lr=lr)
          def main(model, vocab):
        -     opt = make_optimizer(model, 1e-3)
              model.resize_token_embeddings(vocab)  # bug: optimizer-before-replacement
        +     opt = make_optimizer(model, 1e-3)
              train(model, opt)
        """,
    ),
    bug(
        "an optimizer, fifth",
        """
          import torch
          from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
          def main(model, loader):
        -     opt = torch.optim.Adam(model.parameters())
              model = FSDP(model)  # bug: optimizer-before-replacement
        +     opt = torch.optim.Adam(model.parameters())
              for x in loader:
                  opt.zero_grad()
                  model(x).sum().backward()
                  opt.step()
        """,
    ),
    bug(
        "an optimizer, sixth",
        """
          import torch
          def main(model, loader):
        -     opt = torch.optim.Adam(model.parameters())
              model.lm_head.weight = model.transformer.wte.weight  # bug: optimizer-before-replacement
        +     opt = torch.optim.Adam(model.parameters())
              train(model, opt, loader)
        """,
    ),
    bug(
        "an optimizer, seventh",
        """
          import torch
          def main(config):
              with torch.device("meta"):
                  model = Transformer(config)
        -     opt = torch.optim.AdamW(model.parameters(), lr=3e-4)
              model.to_empty(device="cuda")  # bug: optimizer-before-replacement
              model.init_weights()
        +     opt = torch.optim.AdamW(model.parameters(), lr=3e-4)
              return model, opt
        """,
    ),
    bug(
        "a frozen module, first",
        """
          import torch, torchvision
          model = torchvision.models.resnet18()
          for param in model.parameters():
              param.requires_grad = False
        + model.fc = torch.nn.Linear(512, 10)
          optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)  # bug: frozen-optimizer
        """,
    ),
    bug(
        "a frozen module, second",
        """
          import torch
          def setup(encoder):
        -     encoder.requires_grad_(False)
        +     encoder.stem.requires_grad_(False)
              encoder.eval()
              return torch.optim.AdamW(filter(lambda p: p.requires_grad, encoder.parameters()))  # bug: frozen-optimizer
        """,
    ),
    bug(
        "a loss of probabilities, first",
        """
          import torch.nn as nn, torch.nn.functional as F
          class Net(nn.Module):
              def __init__(self):
                  super().__init__()
                  self.fc1 = nn.Linear(784, 128)
                  self.fc2 = nn.Linear(128, 10)
              def forward(self, x):
                  x = F.relu(self.fc1(x))
                  x = self.fc2(x)
        -         return F.softmax(x, dim=1)
        +         return x
          net = Net()
          criterion = nn.CrossEntropyLoss()
          def train(loader, opt):
              for x, y in loader:
                  opt.zero_grad()
                  out = net(x)
                  loss = criterion(out, y)  # bug: softmax-before-cross-entropy
                  loss.backward()
                  opt.step()
        """,
    ),
    bug(
        "a loss of probabilities, second",
        """
          import torch
          from torch import nn
          class Lit(nn.Module):
              def __init__(self):
                  super().__init__()
        -         self.backbone = nn.Sequential(nn.Flatten(), nn.Linear(10, 2), nn.Sigmoid())
        +         self.backbone = nn.Sequential(nn.Flatten(), nn.Linear(10, 2))
                  self.loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))
              def forward(self, x):
                  return self.backbone(x)
              def training_step(self, batch, batch_idx):
                  x, y = batch
                  y_hat = self(x)
                  return self.loss(y_hat, y)  # bug: softmax-before-cross-entropy
        """,
    ),
    bug(
        "a loss of probabilities, third",
        """
          import torch
          import torch.nn.functional as F
          def loss_fn(model, ids, labels):
              logits = model(ids).logits
        -     probs = logits.softmax(-1)
        +     probs = logits
              probs = probs.view(-1, probs.size(-1))
              return torch.nn.CrossEntropyLoss()(probs, labels.view(-1))  # bug: softmax-before-cross-entropy
        """,
    ),
    bug(
        "a loss of probabilities, fourth",
        """
          import torch.nn as nn
          from collections import OrderedDict
        - model = nn.Sequential(OrderedDict([("fc", nn.Linear(3, 3)), ("out", nn.Softmax(dim=-1))]))
        + model = nn.Sequential(OrderedDict([("fc", nn.Linear(3, 3))]))
          ce = nn.CrossEntropyLoss()
          def step(x, y):
              return ce(model(x), y)  # bug: softmax-before-cross-entropy
        """,
    ),
    bug(
        "an evaluation in train mode, first",
        """
          import torch
          def train_one_epoch(model, loader, opt, crit):
              model.train()
              for x, y in loader:
                  opt.zero_grad()
                  crit(model(x), y).backward()
                  opt.step()
          def evaluate(model, loader):
        +     model.eval()
              correct = 0
              with torch.no_grad():
                  for x, y in loader:
                      correct += (model(x).argmax(1) == y).sum().item()  # bug: evaluation-in-train-mode
              return correct
          def main(model, a, b, opt, crit):
              for epoch in range(10):
                  train_one_epoch(model, a, opt, crit)
                  print(evaluate(model, b))
        """,
    ),
    bug(
        "an evaluation in train mode, second",
        """
          import torch
          class Trainer:
              def fit(self):
                  for epoch in range(self.epochs):
                      self.model.train()
                      for batch in self.train_loader:
                          self.optimizer.zero_grad()
                          loss = self.compute(batch)
                          loss.backward()
                          self.optimizer.step()
                      self.validate()
              def compute(self, batch):
                  return self.criterion(self.model(batch["x"]), batch["y"])
              @torch.no_grad()
              def validate(self):
        +         self.model.eval()
                  losses = []
                  for batch in self.val_loader:
                      out = self.model(batch["x"])  # bug: evaluation-in-train-mode
                      losses.append(self.criterion(out, batch["y"]).item())
        """,
    ),
    bug(
        "an evaluation with gradients, first",
        """
          import torch
        + @torch.no_grad()
          def test(model, device, test_loader):
              model.eval()
              test_loss = 0
              for data, target in test_loader:
                  data, target = data.to(device), target.to(device)
                  output = model(data)  # bug: evaluation-with-gradients
                  test_loss += torch.nn.functional.nll_loss(output, target, reduction="sum").item()
              return test_loss
        """,
    ),
    bug(
        "an evaluation with gradients, second",
        """
          import torch
          class Predictor:
        +     @torch.inference_mode()
              def predict(self, loader):
                  self.net.eval()
                  preds = [self.net(x).argmax(-1) for x in loader]  # bug: evaluation-with-gradients
                  return torch.cat(preds)
        """,
    ),
    bug(
        "an evaluation with gradients, third",
        """
          import torch
        + @torch.no_grad()
          def embed(encoder, loader):
              encoder = encoder.eval()
              feats = []
              for x in loader:
                  feats.append(encoder(x))  # bug: evaluation-with-gradients
              return torch.cat(feats)
        """,
    ),
    bug(
        "a mode, first",
        """
          import torch
          def evaluate(model, loader):
              model.eval()  # bug: train-mode-not-restored
              with torch.no_grad():
                  return sum(model(x).sum().item() for x in loader)
          def main(model, train_loader, val_loader, optimizer, criterion):
              model.train()
              for epoch in range(10):
        +         model.train()
                  for x, y in train_loader:
                      optimizer.zero_grad()
                      loss = criterion(model(x), y)
                      loss.backward()
                      optimizer.step()
                  evaluate(model, val_loader)
        """,
    ),
    bug(
        "a mode, second",
        """
          import torch
          class Runner:
              def run(self):
                  self.model.train()
                  step = 0
                  while step < self.total:
                      batch = next(self.data)
                      self.optimizer.zero_grad(set_to_none=True)
                      out = self.model(batch)
                      out.loss.backward()
                      self.optimizer.step()
                      step += 1
                      if step % self.eval_every == 0:
                          self.model.eval()  # bug: train-mode-not-restored
                          self.evaluate()
        +                 self.model.train()
        """,
    ),
    bug(
        "a clipping, first",
        """
          import torch
          def step(model, opt, loss):
              opt.zero_grad()
              loss.backward()
        -     opt.step()
              torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)  # bug: clip-after-step
        +     opt.step()
        """,
    ),
    bug(
        "a clipping, second",
        """
          import torch
          from torch.nn.utils import clip_grad_norm_
          for x, y in loader:
              optimizer.zero_grad()
              with torch.autocast("cuda"):
                  loss = criterion(model(x), y)
              scaler.scale(loss).backward()
        -     scaler.step(optimizer)
              scaler.unscale_(optimizer)
              clip_grad_norm_(model.parameters(), 1.0)  # bug: clip-after-step
        +     scaler.step(optimizer)
              scaler.update()
        """,
    ),
    bug(
        "a scaled clipping, first",
        """
          import torch
          scaler = torch.cuda.amp.GradScaler()
          for x, y in loader:
              opt.zero_grad()
              with torch.cuda.amp.autocast():
                  loss = crit(model(x), y)
              scaler.scale(loss).backward()
        +     scaler.unscale_(opt)
              torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # bug: unscaled-clip
              scaler.step(opt)
              scaler.update()
        """,
    ),
    bug(
        "a scaled clipping, second",
        """
          import torch
          def backward(loss, optimizer, scaler, parameters, clip):
              scaler.scale(loss).backward()
        +     scaler.unscale_(optimizer)
              if clip is not None:
                  torch.nn.utils.clip_grad_value_(parameters, clip)  # bug: unscaled-clip
              scaler.step(optimizer)
              scaler.update()
        """,
    ),
    bug(
        "a scaled clipping, third",
        """
          import torch
          class T:
              def __init__(self):
                  self.grad_scaler = torch.amp.GradScaler("cuda")
              def train_step(self, batch):
                  loss = self.loss(batch)
                  self.grad_scaler.scale(loss).backward()
        -         torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)  # bug: unscaled-clip
                  self.grad_scaler.unscale_(self.optimizer)
        +         torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                  self.grad_scaler.step(self.optimizer)
                  self.grad_scaler.update()
        """,
    ),
    bug(
        "a scheduler, first",
        """
          import torch
          from torch.optim.lr_scheduler import MultiStepLR
          def main(model, loader):
              optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
              scheduler = MultiStepLR(optimizer, milestones=[30, 80])
              for epoch in range(90):
        -         scheduler.step()  # bug: scheduler-before-optimizer
                  train(model, loader, optimizer)
        +         scheduler.step()
          def train(model, loader, optimizer):
              for x, y in loader:
                  optimizer.zero_grad()
                  model(x).sum().backward()
                  optimizer.step()
        """,
    ),
    bug(
        "a scheduler, second",
        """
          import torch
          class T:
              def __init__(self, model):
                  self.model = model
                  self.opt = torch.optim.AdamW(model.parameters())
                  self.sched = torch.optim.lr_scheduler.LinearLR(self.opt)
              def step(self, batch):
                  loss = self.model(batch)
                  self.opt.zero_grad()
                  loss.backward()
        -         self.sched.step()  # bug: scheduler-before-optimizer
                  self.opt.step()
        +         self.sched.step()
        """,
    ),
    bug(
        "a scheduler, third",
        """
          import torch
          def train(model, loader, optimizer, lr_sched):
              for x in loader:
                  optimizer.zero_grad()
                  model(x).mean().backward()
        -         lr_sched.step()  # bug: scheduler-before-optimizer
                  optimizer.step()
        +         lr_sched.step()
          if __name__ == "__main__":
              m = torch.nn.Linear(1, 1)
              o = torch.optim.SGD(m.parameters(), lr=1)
              s = torch.optim.lr_scheduler.CosineAnnealingLR(o, 10)
              train(m, data, o, s)
        """,
    ),
    bug(
        "an accumulation, first",
        """
          import torch
          def train(model, loader, optimizer, criterion, accum_steps):
              optimizer.zero_grad()
              for i, (x, y) in enumerate(loader):
                  out = model(x)
        -         loss = criterion(out, y)
        +         loss = criterion(out, y) / accum_steps
                  loss.backward()  # bug: accumulation-without-mean
                  if (i + 1) % accum_steps == 0:
                      optimizer.step()
                      optimizer.zero_grad()
        """,
    ),
    bug(
        "an accumulation, second",
        """
          import torch
          import torch.nn.functional as F
          class T:
              def train_step(self, data_iter):
                  self.optimizer.zero_grad()
                  for micro in range(self.grad_accum):
                      tokens, targets = next(data_iter)
                      logits = self.model(tokens)
                      loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        -             self.scaler.scale(loss).backward()  # bug: accumulation-without-mean
        +             self.scaler.scale(loss / self.grad_accum).backward()
                  self.scaler.step(self.optimizer)
                  self.scaler.update()
        """,
    ),
    bug(
        "an accumulation, third",
        """
          import torch
          def step(model, optimizer, micro_batches):
              optimizer.zero_grad()
              for x, y in micro_batches:
                  loss = torch.nn.functional.mse_loss(model(x), y)
        -         loss.backward()  # bug: accumulation-without-mean
        +         (loss / len(micro_batches)).backward()
              optimizer.step()
        """,
    ),
    bug(
        "a test loader, first",
        """
          from torch.utils.data import DataLoader
          from torchvision import datasets
          test_ds = datasets.CIFAR10("data", train=False, download=True)
        - test_loader = DataLoader(test_ds, batch_size=128, shuffle=False, drop_last=True)  # bug: test-set-drop-last
        + test_loader = DataLoader(test_ds, batch_size=128, shuffle=False)
        """,
    ),
    bug(
        "a test loader, second",
        """
          import torch
          from torch.utils.data import DataLoader
          def main(model, dataset):
              train_set, held = torch.utils.data.random_split(dataset, [0.9, 0.1])
              tl = DataLoader(train_set, 32, drop_last=True)
        -     vl = DataLoader(held, 32, drop_last=True)  # bug: test-set-drop-last
        +     vl = DataLoader(held, 32)
              fit(model, tl)
              model.eval()
              with torch.no_grad():
                  for x, y in vl:
                      print((model(x).argmax(1) == y).float().mean())
        """,
    ),
    bug(
        "a seed of ranks, first",
        """
          import torch
          import torch.distributed as dist
          from torch.utils.data import DataLoader
          def build(dataset, bs):
              world, me = dist.get_world_size(), dist.get_rank()
              shard = torch.utils.data.Subset(dataset, range(me, len(dataset), world))
              rng = torch.Generator()
        -     rng.manual_seed(2024)  # bug: same-seed-on-every-rank
        +     rng.manual_seed(2024 + me)
              return DataLoader(shard, batch_size=bs, shuffle=True, generator=rng)
        """,
    ),
    bug(
        "a seed of ranks, second",
        """
          import os, random, numpy as np, torch
          from torch.utils.data import DataLoader
          from torch.utils.data.distributed import DistributedSampler
          def seed_worker(worker_id):
        -     seed = 1000 + worker_id
        +     seed = torch.initial_seed() % 2**32
              np.random.seed(seed)  # bug: same-seed-on-every-rank
          def loader(ds):
              return DataLoader(ds, sampler=DistributedSampler(ds), worker_init_fn=seed_worker)
        """,
    ),
    bug(
        "a collective, first",
        """
          import torch.distributed as dist
          def evaluate(model, loader):
              total = compute(model, loader)
        +     dist.all_reduce(total)
              if dist.get_rank() == 0:
        -         dist.all_reduce(total)  # bug: collective-under-rank-condition
                  print(total)
        """,
    ),
    bug(
        "a collective, second",
        """
          import os, torch
          import torch.distributed as dist
          def main():
              local_rank = int(os.environ["LOCAL_RANK"])
              dist.init_process_group("nccl")
              for epoch in range(10):
                  train()
                  if local_rank == 0:
                      save()
        -             torch.distributed.barrier()  # bug: collective-under-rank-condition
        +         torch.distributed.barrier()
        """,
    ),
    bug(
        "a decision, first",
        """
          import torch.distributed as dist
          def fit(model, loader, val, opt, patience):
              best, bad = float("inf"), 0
              rank = dist.get_rank()
              early_stop = False
              for epoch in range(100):
                  for x in loader:
                      opt.zero_grad()
                      model(x).sum().backward()
                      opt.step()
                  if rank == 0:
                      v = evaluate(model, val)
                      if v < best:
                          best, bad = v, 0
                      else:
                          bad += 1
                      early_stop = bad > patience
        +         early_stop = broadcast(early_stop)
                  if early_stop:  # bug: rank-decision-not-broadcast
                      break
        """,
    ),
    bug(
        "a decision, second",
        """
          import os, torch
          import torch.distributed as dist
          RANK = int(os.environ.get("RANK", 0))
          def fit(model, loader, opt, stopper):
              stop = False
              while not stop:  # bug: rank-decision-not-broadcast
                  for x in loader:
                      opt.zero_grad()
                      model(x).sum().backward()
                      opt.step()
                  if RANK == 0:
                      stop = stopper(model)
        +         stop = broadcast(stop)
        """,
    ),
    bug(
        "a sampler, first",
        """
          import torch
          from torch.utils.data import DataLoader
          from torch.utils.data.distributed import DistributedSampler
          def get_loader(ds, bs):
              sampler = DistributedSampler(ds, shuffle=True)
              return DataLoader(ds, batch_size=bs, sampler=sampler)
          def main(ds, model, opt):
              loader = get_loader(ds, 8)
              for epoch in range(5):  # bug: sampler-epoch-never-set
        +         loader.sampler.set_epoch(epoch)
                  for x in loader:
                      opt.zero_grad()
                      model(x).sum().backward()
                      opt.step()
        """,
    ),
    bug(
        "a sampler, second",
        """
          import torch
          from torch.utils.data import DataLoader, DistributedSampler
          class T:
              def __init__(self, ds, distributed):
                  if distributed:
                      self.sampler = DistributedSampler(ds)
                  else:
                      self.sampler = None
                  self.loader = DataLoader(ds, shuffle=self.sampler is None, sampler=self.sampler)
              def train_epoch(self):
                  for i, x in enumerate(self.loader):
                      self.step(x)
              def fit(self):
                  for epoch in range(3):  # bug: sampler-epoch-never-set
        +             self.sampler.set_epoch(epoch)
                      self.train_epoch()
        """,
    ),
    bug(
        "a generator, first",
        """
          import torch
          class RandomCrop:
              def __init__(self, size, generator=None):
                  self.size = size
                  if generator is None:
                      generator = torch.Generator()
        -             generator.manual_seed(0)  # bug: constant-generator
        +             generator.seed()
                  self.generator = generator
        """,
    ),
    bug(
        "a generator, second",
        """
          import torch
          def reseed(dl):
              bs = dl.batch_sampler
              if getattr(bs, "generator", None) is None:
        -         bs.generator = torch.Generator().manual_seed(1234)  # bug: constant-generator
        +         bs.generator = torch.Generator().manual_seed(torch.initial_seed())
              return dl
        """,
    ),
    bug(
        "a caught lookup, first",
        """
          from enum import Enum
          class Phase(Enum):
              WARM = 1
              COOL = 2
          def parse(s):
              try:
                  p = Phase[s.upper()]
              except KeyError:  # bug: catch-and-default
        -         p = Phase.WARM
        +         raise ValueError(s)
              return p
        """,
    ),
    bug(
        "a gate, first",
        """
          def gate(stage, m):
              if stage == Stage.A:
                  return m > 0
              elif stage == Stage.B:
                  return m > 1
              else:
        -         return True  # bug: catch-all-passes
        +         raise ValueError(stage)
        """,
    ),
    bug(
        "a gate, second",
        """
          def gate(stage, m):
              if stage == Stage.A:
                  return m > 0
              if stage == Stage.B:
                  return m > 1
        -     return True  # bug: catch-all-passes
        +     raise ValueError(stage)
        """,
    ),
    bug(
        "a number, first",
        """
          from typing import Optional
          def scale(x, alpha: Optional[float] = None):
        -     a = alpha or 1.0  # bug: or-number
        +     a = 1.0 if alpha is None else alpha
              return x * a
        """,
    ),
    bug(
        "a table, first",
        """
          import torch.nn as nn
          def act(name):
        -     return {"relu": nn.ReLU(), "gelu": nn.GELU()}.get(name, nn.ReLU())  # bug: unknown-string-default
        +     return {"relu": nn.ReLU(), "gelu": nn.GELU()}[name]
        """,
    ),
    bug(
        "a cap, first",
        """
          class Pool:
              def __init__(self, cfg):
        -         self.workers = min(16, cfg.num_workers)  # bug: silent-cap
        +         self.workers = cfg.num_workers
        """,
    ),
    bug(
        "a wait for the device, first",
        """
          def clip(model, limit):
              total = 0
              for p in model.parameters():
                  if p.grad is not None:
        -             total += p.grad.data.norm(2).item() ** 2  # bug: host-device-sync
        +             total += p.grad.data.norm(2) ** 2
              return total ** 0.5
        """,
    ),
    bug(
        "a wait for the device, second",
        """
          import torch
          def check(model):
              for n, p in model.named_parameters():
                  if p.grad is None:
                      continue
        -         if torch.isnan(p.grad).any():  # bug: host-device-sync
        +         if p.grad.is_sparse:
                      raise RuntimeError(n)
        """,
    ),
    bug(
        "a wait for the device, third",
        """
          import torch
          class A(torch.optim.Optimizer):
              def step(self, closure=None):
                  for g in self.param_groups:
                      for p in g["params"]:
                          if p.grad is None:
                              continue
        -                 if p.grad.norm() > 10:  # bug: host-device-sync
        +                 if p.grad.numel() > 10:
                              p.grad.mul_(0.1)
                          p.data.add_(p.grad, alpha=-g["lr"])
        """,
    ),
    bug(
        "a wait for the device, fourth",
        """
          def grad_stats(named):
              out = {}
              for n, p in named.named_parameters():
        -         out[n] = float(p.grad.abs().mean())  # bug: host-device-sync
        +         out[n] = p.grad.abs().mean()
              return out
        """,
    ),
)
RULES = frozenset(rule for marked in BUGS for _, rule in marked.expected)


@pytest.mark.parametrize("marked", BUGS, ids=lambda marked: marked.name)
def test_a_bug_is_reported_at_its_line(marked: MarkedBug) -> None:
    assert marked.expected
    assert reported(marked.code, RULES) == marked.expected


@pytest.mark.parametrize("marked", BUGS, ids=lambda marked: marked.name)
def test_the_repaired_program_is_quiet(marked: MarkedBug) -> None:
    assert reported(marked.repaired, RULES) == []


def test_the_rules_of_training_and_defaults_have_a_bug_each() -> None:
    assert len(RULES) == 24
