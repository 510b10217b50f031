"""Identities of gateways: the hub's signer, and what a member does to have a certificate at all times."""
