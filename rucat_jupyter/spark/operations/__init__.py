"""What runs on an engine, and how to cancel it; ``gateway.service`` imports it."""
