"""Hansa: one control plane over many Kubernetes clusters, for Karmada's and KubeFed's APIs."""

__version__ = "0.1.0"
