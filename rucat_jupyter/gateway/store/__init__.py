"""The SurrealDB store behind the port ``Store``; only ``gateway.service`` imports it."""
