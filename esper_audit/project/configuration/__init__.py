"""How a configuration is put together from several files.

Public: `layers`, a file and those that it extends.
"""
