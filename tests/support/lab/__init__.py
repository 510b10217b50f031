"""Clusters that exchange requests through their gateways on this machine: pods and callers are processes."""
