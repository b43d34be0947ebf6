"""Moving averages, probabilities, counts and layer sizes, and the expressions that values come from."""
