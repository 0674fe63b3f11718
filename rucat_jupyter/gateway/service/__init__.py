"""The gateway process: its settings and wiring; only ``__main__`` imports it."""
