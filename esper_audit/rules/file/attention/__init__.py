"""Rules about attention and masks."""
