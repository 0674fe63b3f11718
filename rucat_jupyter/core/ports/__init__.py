"""What the core needs of the outside, as protocols; ``gateway``, ``platforms`` and ``spark`` import it."""
