"""Composition roots, one per process. The only place that wires layers together."""
