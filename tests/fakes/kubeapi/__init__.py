"""The parts of the Kubernetes API stand-in; ``tests.fakes.kube`` is the way in."""
