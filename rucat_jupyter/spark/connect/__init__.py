"""A small Spark Connect client: channel, messages, pace; the probes and operations import it."""
