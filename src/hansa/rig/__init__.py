"""Real Kubernetes as processes on loopback.

A cluster is etcd, kube-apiserver and, as wanted, kube-controller-manager and kube-scheduler; there are no real nodes.
`RealFederation` starts a hub and its members together. The programs come from `make kube`.
"""
