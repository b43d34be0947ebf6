"""Rules about training loops: the order of their steps, their losses and their decisions."""
