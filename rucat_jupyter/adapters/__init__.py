"""Adapters: each knows the core and exactly one outside thing."""
