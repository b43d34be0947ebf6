"""The project around the source: configuration, discovery, git, atomic writes, worker processes, caches.

Public: every file of it.
"""
