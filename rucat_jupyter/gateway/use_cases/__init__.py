"""What can be asked of engines, recorded as what is wanted; ``gateway.service`` imports it."""
