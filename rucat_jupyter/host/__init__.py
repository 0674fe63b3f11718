"""What this machine has: Javas, Pythons with their pyspark, memory, cores; for the local platform and the doctor."""
