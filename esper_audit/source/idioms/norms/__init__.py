"""Norms of tensors, counts of parameters, and the quotients that are taken of them."""
