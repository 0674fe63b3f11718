"""``%rucat`` and Tab; IPython loads it."""
