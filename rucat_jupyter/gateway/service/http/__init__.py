"""REST over the use cases; ``gateway.service`` imports it."""
