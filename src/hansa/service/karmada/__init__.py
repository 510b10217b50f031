"""Karmada's two ways to services over clusters, on the same exports and views.

A ServiceImport on the hub is a template: policies say which members get it, and the derived Service and the slices of
the exporters go along as its dependencies. A MultiClusterService attaches the slices of providers to the Service of the
same name in consumers.
"""
