"""Namespaces of the hub exist in every member."""
