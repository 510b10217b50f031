"""What differs there? Override policies, chosen for an object and a cluster, and applied."""
