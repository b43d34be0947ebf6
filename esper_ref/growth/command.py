"""The command line: `python -m esper_ref grow`, its options, and what it prints and writes."""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from esper_ref.alpha import AlphaAlgorithm
from esper_ref.errors import EsperRefError
from esper_ref.growth import ranks
from esper_ref.growth.extras import require_extra
from esper_ref.growth.life import Arm
from esper_ref.growth.picture import draw_study, load_matplotlib
from esper_ref.growth.plan import DEFAULT_PLANS, POLICIES, GrowthPlan, plan_for
from esper_ref.growth.study import Study, Watcher, run_study
from esper_ref.growth.table import report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from esper_ref.growth.journal import EpochMeasured

COULD_NOT_RUN = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m esper_ref`."""
    top = argparse.ArgumentParser(prog="python -m esper_ref", description="The reference library.")
    grow = top.add_subparsers(dest="command", required=True).add_parser(
        "grow",
        help="train a host on real data, grow seeds in it, and compare with the host alone",
        description="Train a small host on real data, grow seeds in it by the gates, and compare "
        "with the host alone and with the grown network trained whole, over random seeds.",
    )
    grow.add_argument(
        "--host", choices=list(DEFAULT_PLANS), required=True, help="the network that seeds grow in"
    )
    _add_plan_options(grow)
    grow.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (default: runs/<host>)"
    )
    grow.add_argument(
        "--resume", action="store_true", help="go on with the run in DIR where it was interrupted"
    )
    return top


def _add_plan_options(grow: argparse.ArgumentParser) -> None:
    """Add the options that replace a field of the host's default plan."""
    for option, field, meaning in (
        ("--seeds", "random_seeds", "random seeds to repeat over"),
        ("--epochs", "epochs", "epochs of each life"),
        ("--steps", "steps", "steps an epoch"),
    ):
        grow.add_argument(option, type=int, metavar="N", help=f"{meaning} ({_default(field)})")
    grow.add_argument(
        "--blueprints",
        "--blueprint",
        type=lambda names: tuple(names.split(",")),
        metavar="A,B",
        help="what each slot tries, in this order, until one is fossilized "
        f"({_default('blueprints')})",
    )
    grow.add_argument(
        "--alpha-algorithm",
        type=AlphaAlgorithm,
        choices=list(AlphaAlgorithm),
        help=f"how a seed is blended into its host ({_default('alpha_algorithm')})",
    )
    grow.add_argument(
        "--policy",
        choices=list(POLICIES),
        help=f"what decides when seeds begin and are given up ({_default('policy')})",
    )
    grow.add_argument("--device", help=f"cpu, cuda, ... ({_default('device')})")


def _default(field: str) -> str:
    """Return the default of a field of a plan, of each host where they differ."""
    defaults = {host: _shown(vars(plan)[field]) for host, plan in DEFAULT_PLANS.items()}
    if len(set(defaults.values())) > 1:
        return f"default: {'; '.join(f'{shown} for {host}' for host, shown in defaults.items())}"
    return f"default: {defaults.popitem()[1]}"


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 2 (could not run) or 130."""
    options = parser().parse_args(arguments)
    out = options.out or Path("runs") / options.host
    try:
        _grow(options, out)
    except EsperRefError as error:
        sys.stderr.write(f"esper_ref: {error}\n")
        return COULD_NOT_RUN
    except KeyboardInterrupt:
        sys.stderr.write(f"\ninterrupted; the same command with --resume goes on from {out}\n")
        return INTERRUPTED
    return 0


def _grow(options: argparse.Namespace, out: Path) -> None:
    torch.set_num_threads(1)  # tensors this small gain nothing from more, and sums stay the same
    load_matplotlib()  # what is missing is said now, not after minutes of training
    plan = plan_for(
        options.host,
        random_seeds=options.seeds,
        epochs=options.epochs,
        steps=options.steps,
        blueprints=options.blueprints,
        alpha_algorithm=options.alpha_algorithm,
        policy=options.policy,
        device=options.device,
    )
    with ranks.joined(plan.device) as device:
        if plan.too_short is not None and ranks.rank() == 0:
            sys.stderr.write(f"esper_ref: {plan.too_short}\n")
        with _progress(plan) as watch:
            study = run_study(plan, out, device, watch, resume=options.resume)
        if ranks.rank() == 0:
            _show(study, out)


def _show(study: Study, out: Path) -> None:
    """Print the result, and keep it with its picture."""
    text = report(study)
    (out / "growth.md").write_text(text, encoding="utf-8")
    draw_study(study, out / "growth.svg")
    sys.stdout.write(f"{text}\nWritten to {out}: growth.md, growth.svg, and for each life its\n")
    sys.stdout.write("journal.jsonl and checkpoint.pt in seed-<n>/<arm>/\n")


def _silent(_life: str, _epoch: int, _measured: EpochMeasured) -> None:
    """Show nothing."""


@contextmanager
def _progress(plan: GrowthPlan) -> Iterator[Watcher]:
    """Yield what draws a progress bar on a terminal, and nothing anywhere else."""
    if ranks.rank() != 0 or not sys.stderr.isatty():
        yield _silent
        return
    require_extra("rich", "the progress bar")
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("growing", total=plan.random_seeds * len(Arm) * plan.epochs)

        def show(life: str, epoch: int, measured: EpochMeasured) -> None:
            text = f"{life}, epoch {epoch}: {measured.score:.1f} %"
            bar.update(task, advance=1, description=text)

        yield show
