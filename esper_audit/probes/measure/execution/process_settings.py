"""The settings of torch and Python that belong to the whole process: reading and restoring them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def process_settings() -> dict[str, object]:
    """Return the settings by name."""
    return {
        "grad mode": torch.is_grad_enabled(),
        "default dtype": torch.get_default_dtype(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "threads": torch.get_num_threads(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "anomaly mode": torch.is_anomaly_enabled(),
        "default device": torch.get_default_device(),
        "random seed": torch.initial_seed(),
        "warning filters": [str(one) for one in warnings.filters],
    }


@contextmanager
def restored_settings() -> Iterator[None]:
    """Restore the settings after the block, which may change any of them.

    An unchanged choice of algorithms is left alone: setting it imports the compiler, which takes longer than
    all contracts of a small module.
    """
    grad, dtype, threads = (
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
    )
    is_deterministic, is_anomaly = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_anomaly_enabled(),
    )
    try:
        with warnings.catch_warnings():
            yield
    finally:
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        if torch.are_deterministic_algorithms_enabled() != is_deterministic:
            torch.use_deterministic_algorithms(is_deterministic)
        torch.autograd.set_detect_anomaly(is_anomaly)
