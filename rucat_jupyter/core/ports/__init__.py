"""What the core needs of the outside, as protocols; ``gateway``, ``platforms`` and ``spark`` import it.

Every method is async, limits its own time, and is idempotent; a cancelled call leaves nothing half done that a
later call would not find. Errors are those of :mod:`rucat_jupyter.core.errors`, translated at the edge.
"""
