"""Clusters: their place on the hub, the handle on their members, and how they are."""
