"""Rules about evaluation: modes, gradients and test sets."""
