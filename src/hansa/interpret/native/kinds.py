"""The kinds that have a meaning built in."""

from __future__ import annotations

from hansa.api.meta import GVK

DEPLOYMENT = GVK("apps", "v1", "Deployment")
REPLICA_SET = GVK("apps", "v1", "ReplicaSet")
STATEFUL_SET = GVK("apps", "v1", "StatefulSet")
DAEMON_SET = GVK("apps", "v1", "DaemonSet")
JOB = GVK("batch", "v1", "Job")
CRON_JOB = GVK("batch", "v1", "CronJob")
POD = GVK("", "v1", "Pod")
SERVICE = GVK("", "v1", "Service")
SERVICE_ACCOUNT = GVK("", "v1", "ServiceAccount")
SECRET = GVK("", "v1", "Secret")
PERSISTENT_VOLUME = GVK("", "v1", "PersistentVolume")
PERSISTENT_VOLUME_CLAIM = GVK("", "v1", "PersistentVolumeClaim")
SERVICE_IMPORT = GVK("multicluster.x-k8s.io", "v1alpha1", "ServiceImport")
STORED_SERVICE_IMPORT = GVK("multicluster.x-k8s.io", "v1beta1", "ServiceImport")
INGRESS = GVK("networking.k8s.io", "v1", "Ingress")
POD_DISRUPTION_BUDGET = GVK("policy", "v1", "PodDisruptionBudget")
HORIZONTAL_POD_AUTOSCALER = GVK("autoscaling", "v2", "HorizontalPodAutoscaler")
