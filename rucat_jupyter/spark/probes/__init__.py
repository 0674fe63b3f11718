"""Health of an engine by its Spark Connect service; ``gateway.service`` imports it."""
