"""Flags of a line, and the variables that it binds; ``notebook.magics`` and ``notebook.verbs`` import it."""
