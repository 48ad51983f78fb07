"""What several experiments need: servers, and commands timed from outside."""
