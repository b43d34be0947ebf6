"""The arguments of a constructor: `constructor` searches, `guesses` has likely values, `settings` makes small ones."""
