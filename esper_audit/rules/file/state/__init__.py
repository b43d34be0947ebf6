"""Rules about state that is saved and loaded."""
