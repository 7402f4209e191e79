"""What would do the same work with fewer or smaller GPUs, and what stands against it."""
