"""The background service: what is due, who may do it, and how it is."""
