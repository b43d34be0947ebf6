"""Recording: what a command builds and calls, as recipes.

Public: `command` (runs it and returns what was recorded), `recorder` (the hooks in its processes),
`signature` (what is kept of a construction and a call), `description` (an object as the value of a recipe).
"""
