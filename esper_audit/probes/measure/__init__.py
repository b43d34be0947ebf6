"""Measurements that probes share: parameters, gradients, dependence, precision, graphs, readings."""
