"""The life of a Cluster: its execution space, its health, its taints."""
