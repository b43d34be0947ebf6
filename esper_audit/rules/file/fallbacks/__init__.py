"""Rules about silently replaced values and errors."""
