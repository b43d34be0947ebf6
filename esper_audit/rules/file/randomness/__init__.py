"""Rules about random streams and their seeds."""
