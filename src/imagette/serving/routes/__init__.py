"""What the API answers: one Flask blueprint a file."""
