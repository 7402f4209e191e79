"""The cluster's objects, read from the Kubernetes API."""

from analyzer.collect.cluster.client import KubeClient, Permission, connect

__all__ = ["KubeClient", "Permission", "connect"]
