"""Probing what no subject declares: `explore` finds, runs and checks classes, `known_recipes` has what to try first."""
