"""The verbs of both fronts: one table of words, flags and help, and their parser; `notebook` and `cli` import it."""
