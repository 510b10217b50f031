"""What the hub calls."""
