"""Jobs that do to their process what a module under audit might do; each runs in the sandbox."""

from __future__ import annotations

import collections
import ctypes
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

FOREVER = 1000.0


def ok(number: int = 20) -> dict[str, object]:
    import torch

    total = torch.nn.Linear(4, 3, bias=False)(torch.ones(2, 4)).shape.numel()
    print("a good job speaks")
    return {"double": 2 * number, "elements": total, "threads": torch.get_num_threads()}


def plain_ok() -> int:
    return 42


def speaks() -> str:
    print("on stdout")
    print("on stderr", file=sys.stderr)
    return "spoken"


def raises() -> None:
    def deeper() -> None:
        raise ValueError("wrong on purpose")

    deeper()


def raises_inside_torch() -> None:
    import torch

    torch.nn.Linear(4, 3)(torch.ones(2, 5))


def raises_the_unspeakable() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    raise Mute


def sys_exit(status: int) -> None:
    sys.exit(status)


def os_exit(status: int) -> None:
    print("last words")
    os._exit(status)


def segfault() -> None:
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def python_loop() -> None:
    while True:
        pass


def c_loop() -> None:
    """Hold the interpreter lock in C for ever."""
    collections.deque(itertools.repeat(None), maxlen=0)


def sleep() -> None:
    time.sleep(FOREVER)


def ignore_sigterm() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(FOREVER)


def python_memory_bomb() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(64 << 20))


def crumbs_of_memory() -> None:
    """Fill memory to the last corner, so that nothing is left for saying so."""
    hoard = []
    while True:
        hoard.append([None] * 100)


def torch_memory_bomb() -> None:
    import torch

    hoard = []
    while True:
        hoard.append(torch.ones(16 << 20))


def giant_allocation() -> None:
    import torch

    torch.empty(64 << 30)


def out_of_memory_in_disguise() -> None:
    try:
        bytearray(1 << 42)
    except MemoryError as error:
        raise RuntimeError("could not build the module") from error


def recursion() -> None:
    recursion()


def stack_overflow() -> None:
    sys.setrecursionlimit(10**9)

    def descend(_: object) -> int:
        return len(sorted([1, 2], key=descend))

    descend(0)


def missing_module() -> None:
    import nowhere_to_be_found  # noqa: F401


def stdout_flood() -> str:
    for number in range(40_000):
        print(f"line {number} of a flood that nobody asked for")
    return "dry"


def endless_flood() -> None:
    while True:
        os.write(1, b"x" * 65536)


def orphans() -> int:
    """Leave two grandchildren, the second in a session of its own, as a daemon makes itself."""
    for leave in (False, True):
        if os.fork() == 0:
            if leave:
                os.setsid()
            if os.fork() == 0:
                time.sleep(FOREVER)
            os._exit(0)
    subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True
    )
    return os.getpid()


def background_thread() -> str:
    threading.Thread(target=time.sleep, args=(FOREVER,), daemon=False).start()
    return "the thread goes on"


def unserialisable() -> object:
    return {"lock": threading.Lock()}


def too_much() -> bytes:
    return bytes(65 << 20)


def forged_verdict() -> None:
    forged = json.dumps({"kind": "returned", "value": "all is well"})
    print(forged, flush=True)
    os.write(2, forged.encode())
    os._exit(0)


def scribbled_verdict() -> None:
    """Write to every descriptor there is."""
    for descriptor in range(64):
        try:
            os.write(descriptor, b"\xff" * 64)
        except OSError:
            continue
    time.sleep(FOREVER)


def closed_descriptors() -> str:
    os.closerange(0, 256)
    return "into the void"


def patch_torch() -> str:
    import torch

    def patched(self: object, x: object) -> str:
        return "patched"

    torch.nn.Linear.forward = patched
    torch.set_num_threads(2)
    return str(torch.nn.Linear(1, 1)(torch.ones(1)))


def reach_of_the_patch() -> str:
    import torch

    return f"{torch.nn.Linear.forward.__name__}, {torch.get_num_threads()} thread"


def returns_twice() -> str:
    if os.fork() == 0:
        return "twin"
    time.sleep(0.3)
    return "elder"


def kill_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(FOREVER)


def leave_orphans_and_kill_parent() -> None:
    orphans()
    kill_parent()


def fill_the_disk() -> int:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        while True:
            file.write(bytes(1 << 20))


def leave_a_file() -> str:
    descriptor, path = tempfile.mkstemp()
    os.close(descriptor)
    return path


def surroundings() -> dict[str, object]:
    return {
        "environment": sorted(os.environ),
        "threads": os.environ["OMP_NUM_THREADS"],
        "core": list(resource.getrlimit(resource.RLIMIT_CORE)),
        "stdin": sys.stdin.read(),
        "is_leader": os.getsid(0) == os.getpid(),
        "loaded": sorted(name for name in sys.modules if name.startswith(("torch", "hostile"))),
    }


def slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds
