"""How each kind of claim is answered: `needs` and `answer` in the module that is named for the kind."""
