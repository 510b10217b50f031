"""Members acted out: nodes, pods and the controllers that real clusters run."""
