"""The monitors: one contract of a training run each, named for what must hold."""
