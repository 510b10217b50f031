"""Talk to one API server."""
