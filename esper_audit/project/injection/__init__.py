"""Acting inside the processes of a user's command, as soon as they import torch.

Public: `torch_import` (the environment of the command, and the hook on the import). `path_entry/` is put on the
command's PYTHONPATH and holds nothing else.
"""
