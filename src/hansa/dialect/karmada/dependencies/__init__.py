"""What a template refers to goes where it goes (propagateDeps, gate PropagateDeps): attached bindings."""
