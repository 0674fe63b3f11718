"""Spark sessions of this process on engines; ``client.engines`` and ``notebook`` import it."""
