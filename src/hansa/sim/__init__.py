"""Members acted out: nodes, pods and the controllers that real clusters run.

Everything here talks to a member through its API, as a stranger to the control plane. The kubelet and its nodes also
serve beside a real API server; the controllers are for embedded members, a real one has its own.
"""
