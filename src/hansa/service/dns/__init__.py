"""The zone of imported services, served beside one member: Multi-Cluster Services DNS specification, schema 1.0.0.

Reads the member's ServiceImports and EndpointSlices, and nothing of the hub: it goes on while the hub is gone.
"""
