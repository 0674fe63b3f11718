"""Protocols of what the core needs from outside; ``gateway``, ``platforms`` and ``spark`` import it.

Every method is async, has its own time limit, and is idempotent; a later call finds what a cancelled call left half
done. Implementations translate errors to those of :mod:`rucat_jupyter.core.errors`.
"""
