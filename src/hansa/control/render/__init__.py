"""Bindings to Works: what each member is to have."""
