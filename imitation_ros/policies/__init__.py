"""What maps observation to action."""
