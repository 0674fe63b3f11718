"""The gateway process: REST over the use cases, the only place with settings."""
