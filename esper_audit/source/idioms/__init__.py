"""Recognisers of PyTorch and Python idioms, one folder for each family of rules."""
