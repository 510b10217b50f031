"""Front ends: what users write becomes Bindings, results become what users read."""
