"""The end of evictions: when what runs in a cluster that is being left may go."""
