"""Values and algorithms that know no Kubernetes server."""
