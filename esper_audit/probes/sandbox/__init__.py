"""Runs foreign code in processes with limits, where a crash or a hang costs one job.

Public: `pool` (the sandbox), `outcome` (jobs, limits and how they end).
"""
