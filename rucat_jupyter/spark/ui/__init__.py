"""A client for the Spark UI: pages, REST, activity; probes, operations and ``gateway.service`` import it."""
