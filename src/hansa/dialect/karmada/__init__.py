"""Karmada: template and policies to bindings, binding status to the template."""
