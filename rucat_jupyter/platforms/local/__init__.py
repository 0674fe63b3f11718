"""Engines as processes of this machine; ``gateway.service`` imports it."""
