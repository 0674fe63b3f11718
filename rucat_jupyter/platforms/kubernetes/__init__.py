"""Engines as pods of a cluster; the only package that knows Kubernetes' API; ``gateway.service`` imports it."""
