"""What Rucat gives every Spark that it starts, on whatever platform: its log and the pace of its reports."""

from __future__ import annotations

LOG_CONFIG = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.target = SYSTEM_OUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.context.name = org.apache.spark.SparkContext
logger.context.level = info
logger.submit.name = org.apache.spark.deploy.SparkSubmit
logger.submit.level = info
logger.server.name = org.apache.spark.sql.connect.service.SparkConnectServer
logger.server.level = info
"""
"""To standard output, so that Spark's words and the JVM's own are one text in one order.

Beginning and end of the engine, warnings and errors: more would be lines for each probe, query and task, with the
text of the plans in them. Whoever wants it sets ``spark.log.level``.
"""

PYTHON_KILL = "500ms"  # a cancelled task's Python ends 2 s after it by default: too late for "cancelled within 3 s"
PROGRESS_INTERVAL = "500ms"  # Spark tells of a running query every 2 s by default; quicker ones are not told of at all

PACE: dict[str, str] = {
    "spark.connect.progress.reportInterval": PROGRESS_INTERVAL,
    "spark.python.task.killTimeout": PYTHON_KILL,
}
"""Confs that a spec may set otherwise."""
