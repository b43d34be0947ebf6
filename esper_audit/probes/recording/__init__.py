"""Recording: what a command builds and calls, as recipes.

Public: `command` (runs it and returns what was recorded), `recorder` (the hooks in its processes),
`description` (an object as the value of a recipe).
"""
