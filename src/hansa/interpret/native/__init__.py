"""What the kinds of Kubernetes itself mean: one module for each question."""
