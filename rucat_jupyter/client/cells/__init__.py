"""What a cell runs on engines: its operations, bars and interrupts; ``client.session`` and ``notebook`` import it."""
