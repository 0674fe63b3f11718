"""Engines as words, tables and lines of progress; ``client``, ``notebook``, ``cli``, ``checkup`` import it."""
