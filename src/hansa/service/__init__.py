"""Multi-cluster services: exported in one cluster, found by name in others, reached through gateways, kept up."""
