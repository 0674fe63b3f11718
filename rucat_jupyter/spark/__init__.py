"""Knowledge of Spark servers: command line and exit reasons; platforms and ``gateway.service`` import it."""
