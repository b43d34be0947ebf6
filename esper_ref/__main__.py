"""`python -m esper_ref`."""

from __future__ import annotations

import sys

from esper_ref.growth.command import main

if __name__ == "__main__":
    sys.exit(main())
