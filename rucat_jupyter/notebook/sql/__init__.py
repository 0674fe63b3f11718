"""``%%rucat sql``: a cell's statements, their answers as tables, variables and charts, and the names that Tab knows."""
