"""Measurements that probes share: `parameters`, `dependence`, `execution`, `stepwise`, and the `readings` of all."""
