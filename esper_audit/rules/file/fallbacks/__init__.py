"""Rules about values and errors that something else silently replaces."""
