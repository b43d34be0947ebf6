"""Does growing win? `python -m esper_ref grow` for both hosts, as one report with pictures.

    python benchmarks/growth_study.py [--runs runs] [--out reports/studies]

A run that is already in the folder of runs, begun or finished, is resumed: its plan must be the
default one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from esper_ref.growth.picture import draw_study, load_matplotlib
from esper_ref.growth.plan import DEFAULT_PLANS
from esper_ref.growth.study import PLAN_FILE, Study, run_study
from esper_ref.growth.table import report

INTRODUCTION = """# Growing against not growing

Made by `python benchmarks/growth_study.py`, which runs `python -m esper_ref grow` for both hosts
with its default options. Every arm of a random seed begins with the same host weights and sees the
same batches for the same number of steps:

- **alone**: the host, without seeds;
- **grown**: seeds germinate, train behind the host, are blended in, and are kept or culled by the
  gates, one at a time;
- **whole**: the network that *grown* ended as, trained from the first step. It has the same
  parameters, so it tells the growing from the parameters.

The gates judge on a validation split; what is compared is the accuracy on a test split that no
gate has seen. The text differs between versions of CPython, and with it the last digits.

A contribution is not a gain. It is what the network would lose if the seed fell silent *now*, and
the layers around a blended seed come to rely on it: it grows for as long as they learn together,
also where the host alone would have come as far. So it can tell a seed that is in use from one that
is not; whether growing paid is what the arms are for.
"""


def finished(host: str, runs: Path) -> Study:
    """Return a host's study, from where its run is."""
    plan, out = DEFAULT_PLANS[host], runs / host  # type: ignore[index]  # a key of the same table
    resume = (out / PLAN_FILE).exists()
    return run_study(plan, out, torch.device(plan.device), lambda *_: None, resume=resume)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=Path, default=Path("runs"))
    arguments.add_argument("--out", type=Path, default=Path("reports/studies"))
    options = arguments.parse_args()
    torch.set_num_threads(1)
    load_matplotlib()
    options.out.mkdir(parents=True, exist_ok=True)
    text = INTRODUCTION
    for host in DEFAULT_PLANS:
        study = finished(host, options.runs)
        name = f"growth_{host}.svg"
        draw_study(study, options.out / name)
        text += f"\n{report(study)}\n![score, alpha and contribution over the epochs]({name})\n"
    (options.out / "growth.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
