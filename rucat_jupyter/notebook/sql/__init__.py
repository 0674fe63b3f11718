"""``%%rucat sql``: statements, and their rows as tables, variables and charts; ``notebook.verbs`` imports it."""
