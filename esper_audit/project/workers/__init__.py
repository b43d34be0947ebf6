"""Worker processes: work on many files in several processes, with limits a file.

Public: `map_files` and `collector_off` of `parallel`, `set_status` and `WorkLimits` of `limited_work`.
"""
