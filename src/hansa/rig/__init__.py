"""Real Kubernetes as processes on loopback."""
