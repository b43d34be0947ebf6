"""What probes measure with: parameters, gradients, dependence, precision, graphs."""
