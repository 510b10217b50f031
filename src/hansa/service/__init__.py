"""Multi-cluster services: exported in one cluster, found by name in others, reached through gateways, kept up.

The hub carries descriptions, never traffic: it merges exports and writes imports into members. What is not known is
never taken for empty: an exporter that cannot be asked keeps its share of every import as it was.
"""
