"""What a typed line means, and the variables it binds; ``notebook.magics`` and ``notebook.verbs`` import it."""
