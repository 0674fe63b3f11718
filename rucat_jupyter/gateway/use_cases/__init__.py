"""The use cases: record what users want of their engines; ``gateway.service`` imports it."""
