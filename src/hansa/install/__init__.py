"""Put Hansa on a hub, and members into the federation."""
