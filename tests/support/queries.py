"""Plain pyspark client programs that tests run in processes of their own."""

PLAIN_QUERY = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
print(spark.range(int(sys.argv[2])).selectExpr("sum(id)").collect()[0][0])
"""
"""Sum of the first N numbers: argv = remote string, N."""

LONG_QUERY = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
sleep = f"java_method('java.lang.Thread', 'sleep', id + {int(sys.argv[2]) * 1000}L)"
print("ready", flush=True)
print("answer", spark.range(41, 42, 1, 1).selectExpr(f"{sleep} as slept", "id + 1 as n").collect()[0].n, flush=True)
"""
"""One task that sleeps on the engine and then answers 42: argv = remote string, seconds."""

CONF_CHECK = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
wanted = json.load(open(sys.argv[2], encoding="utf-8"))
wrong = {k: (v, spark.conf.get(k)) for k, v in wanted.items() if spark.conf.get(k) != v}
print(json.dumps(wrong))
"""
"""Compare confs with a JSON file: argv = remote string, file. Prints a JSON object of the differences."""
