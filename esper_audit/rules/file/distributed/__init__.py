"""Rules about training on several ranks."""
