"""Spark's errors, the cause first, with the user's own line; ``client.session`` and ``notebook`` import it."""
