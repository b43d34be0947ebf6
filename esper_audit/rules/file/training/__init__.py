"""Rules about training loops and their decisions."""
