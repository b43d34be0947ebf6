"""The probes, one in each file.

The file name with dashes is the id of the probe.
"""
