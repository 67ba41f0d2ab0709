"""What was demonstrated."""
