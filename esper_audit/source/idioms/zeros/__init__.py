"""Values that may be exactly zero, and the gradients that come back to them."""
