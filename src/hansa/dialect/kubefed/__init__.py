"""KubeFed: FederatedX to bindings, results to its status."""
