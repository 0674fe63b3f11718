"""Run engines on Kubernetes: the platform ``kubernetes``; the only place that knows its API."""
