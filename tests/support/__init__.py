"""What several tests share: sample trees, tickets and findings, and ways to run the program."""
