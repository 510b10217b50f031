"""The gateway of a member: mutual TLS between clusters by Envoy, configured by files, fed from the member's own API."""
