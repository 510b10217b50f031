"""Works to the status of their binding."""
