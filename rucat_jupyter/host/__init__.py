"""What this machine has: Java, pyspark, memory, ports, kubeconfig; platforms, ``client`` and ``checkup`` import it."""
