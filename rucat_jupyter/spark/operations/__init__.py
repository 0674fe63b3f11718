"""Running operations of an engine, and their cancellation; ``gateway.service`` imports it."""
