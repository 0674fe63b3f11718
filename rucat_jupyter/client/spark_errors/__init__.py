"""Spark's errors as people read them: the cause first, the place in their own code, what to do."""
