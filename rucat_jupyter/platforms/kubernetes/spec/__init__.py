"""Checks and defaults of a Kubernetes spec; pure; for this platform alone."""
