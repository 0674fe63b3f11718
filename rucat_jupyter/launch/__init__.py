"""Find or start the gateway of a data directory; ``client``, ``checkup``, ``jupyter`` and ``gateway`` import it."""
