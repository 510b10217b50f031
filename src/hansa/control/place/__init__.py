"""Give bindings their clusters."""
