"""The start of watching in a process of the command, when torch has been imported."""

from __future__ import annotations

import atexit
import os
import warnings

from esper_audit.watch.records import ONLY, PROJECT_ROOT, REPORT_FOLDER, STEPS, Ended


def watch() -> None:
    """Put the hooks on, and take them off when the process ends."""
    from esper_audit.watch.hooks import Hooks
    from esper_audit.watch.monitor import make_monitors
    from esper_audit.watch.run import Run

    run = Run(os.environ[REPORT_FOLDER], os.environ[PROJECT_ROOT])
    only = [name for name in os.environ[ONLY].split(",") if name]
    hooks = Hooks(run, make_monitors(run, only), int(os.environ[STEPS]))
    hooks.install()
    # torch.compile warns of global hooks on modules. These do nothing in compiled code.
    warnings.filterwarnings(
        "ignore", r"Using `torch.compile\(module\)` when there are global hooks"
    )
    process = os.getpid()

    def end() -> None:
        if os.getpid() != process:  # a forked child, such as a worker of a data loader
            return
        hooks.finish()
        run.write(Ended(run.step, hooks.optimizers, run.rank))

    atexit.register(end)
