"""Watches a training run: hooks in the user's command, monitors of its events, findings.

`session` runs the command and reads what it wrote, `findings` makes an audit of it. `start` installs `hooks` in
the command, and `monitors/` has one file for each contract.
"""
