"""Putting to sleep and waking: read the cluster, decide, act, watch."""
