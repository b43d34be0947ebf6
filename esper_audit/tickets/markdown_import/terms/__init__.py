"""The terms that tickets use: severities, statuses, verdicts, categories, places."""
