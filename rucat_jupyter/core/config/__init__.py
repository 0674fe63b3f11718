"""From a request to a checked spec: profiles, merge, denied conf, limits; pure; the gateway and platforms import it."""
