"""The life of the gateway process: start, lease of the data directory, logs, end; ``__main__`` imports it."""
