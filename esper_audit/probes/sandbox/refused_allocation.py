"""Recognising an allocation that the limit on memory refused, which is no defect of the code that wanted it."""

from __future__ import annotations

ALLOCATOR_PHRASES = ("DefaultCPUAllocator", "std::bad_alloc", "Cannot allocate memory")
CAUSES_FOLLOWED = 8  # a chain of causes may be circular


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that it was raised from, is a refused allocation."""
    for _ in range(CAUSES_FOLLOWED):
        refused = isinstance(error, (RuntimeError, OSError)) and any(
            phrase in text_of(error) for phrase in ALLOCATOR_PHRASES
        )
        if refused or isinstance(error, MemoryError):
            return True
        error = error.__cause__ if error is not None else None
    return False


def is_about_memory(message: str) -> bool:
    """Return whether the text of an error is about a refused allocation."""
    return any(phrase in message for phrase in (*ALLOCATOR_PHRASES, MemoryError.__name__))


def text_of(error: BaseException) -> str:
    """Return the message of an exception, a placeholder if there is none."""
    try:
        return str(error)
    # esper-audit: allow silent-except -- the placeholder states what failed, and the error itself is reported
    except Exception:  # noqa: BLE001 - the `__str__` of a foreign exception is foreign code
        return "(message unavailable: its __str__ raises)"
