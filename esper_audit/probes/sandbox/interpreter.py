"""Starting a fresh interpreter for the sandbox, with a minimal environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

from esper_audit.project.submodules import PACKAGE

INHERITED_VARIABLES = (
    *("PATH", "HOME", "USER", "LOGNAME", "SYSTEMROOT", "USERPROFILE", "PYTHONPATH"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX"),
)
FIXED_VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "LC_ALL": "C.UTF-8",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
# The folder of this package comes first on the path for this import only, not for the user's imports.
BOOTSTRAP = """
import sys
sys.path.insert(0, sys.argv[1])
import {module}
sys.path.remove(sys.argv[1])
{module}.main()
"""


def clean_environment(scratch: str) -> dict[str, str]:
    """Return the environment of a sandboxed interpreter, whose temporary files lie below `scratch`.

    The TMPDIR of a process also identifies it as one of this sandbox. Other variables are dropped because
    they may break the job: an empty TORCH_LOGS breaks `import torch`.
    """
    inherited = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    return inherited | FIXED_VARIABLES | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch)


def start_interpreter(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    streams: tuple[int | IO[bytes], int | IO[bytes], int | IO[bytes]],
    descriptors: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start an interpreter in a session of its own that runs `main()` of a module of this package."""
    home = os.path.dirname(PACKAGE)
    bootstrap = BOOTSTRAP.format(module=module)
    stdin, stdout, stderr = streams
    return subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        [sys.executable, "-P", "-c", bootstrap, home, *arguments],
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=descriptors,
        start_new_session=True,
    )
