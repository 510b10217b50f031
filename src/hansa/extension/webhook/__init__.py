"""Admission of Karmada's kinds: defaults before they are stored, faults refused, protected objects not deleted."""
