"""The Karmada dialect: plain templates and policies in front of the binding, templates' status behind it."""
