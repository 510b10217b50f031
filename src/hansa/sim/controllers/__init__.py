"""The controllers of a cluster, one module each: what kube-controller-manager would do in this member."""
