"""What the API answers: one file a group of routes."""
