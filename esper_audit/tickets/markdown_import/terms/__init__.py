"""The vocabulary of tickets: severities, statuses, verdicts, categories, headings, places."""
