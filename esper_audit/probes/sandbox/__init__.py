"""Foreign code in processes with limits: a crash, hang or flood costs one job.

Public: `pool` (the sandbox), `outcome` (jobs, limits and how they end).
"""
