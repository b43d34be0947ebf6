"""The parameters of a module: their count, new draws, their gradients and which of them a call reaches."""
