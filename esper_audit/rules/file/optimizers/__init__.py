"""Rules about the parameters that an optimizer holds."""
