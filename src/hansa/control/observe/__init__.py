"""Members' objects to the status of Works."""
