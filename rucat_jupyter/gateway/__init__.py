"""The gateway process; only ``__main__`` imports it."""
