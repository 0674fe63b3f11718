"""Where engines run: one package or module per platform; only ``gateway.service`` imports them."""
