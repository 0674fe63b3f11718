"""Wrong queries that people write, and the words that must stand on the first line of what they see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wrong:
    """A cell that fails; ``says`` is on the first line, ``where`` and ``hint`` anywhere below it."""

    code: str
    says: str
    where: str = ""
    hint: str = ""


PREPARE = """
import threading
import pandas as pd
from pyspark.sql import functions as F
from pyspark.sql.functions import udtf
open("file.txt", "w").write("x")
open("bad.json", "w").write('{"a": 1}\\n{bad\\n')
open("bad.csv", "w").write("a,b\\n1,x\\n")
open("bad.parquet", "wb").write(b"PAR1 this is not parquet")
spark.sql("create table if not exists twice (a int) using parquet")
spark.sql("create or replace function gone as 'com.example.Gone'")
spark.range(1).write.mode("overwrite").parquet("there")
spark.range(1).createOrReplaceTempView("seen")
"""

TABLE = {
    "missing table": Wrong(
        'spark.sql("select *\\nfrom sales where x = 1").show()',
        "[TABLE_OR_VIEW_NOT_FOUND] The table or view `sales` cannot be found.",
        "SQL line 2, position 6: from sales",
        "Verify the spelling",
    ),
    "missing table, lazily": Wrong('df = spark.table("sales")\n\ndf.count()', "`sales`", "line 3: df.count()"),
    "missing column": Wrong(
        'df = spark.range(3).toDF("number")\ndf.select("numbr").show()',
        "[UNRESOLVED_COLUMN.WITH_SUGGESTION]",
        'line 2: df.select("numbr").show()',
        "Did you mean one of the following? [`number`]",
    ),
    "missing column in SQL": Wrong(
        'spark.sql("select numbr from values (1) as t(number)").collect()', "`numbr`", "^^^^^", "[`number`]"
    ),
    "ambiguous column": Wrong(
        'spark.range(2).join(spark.range(2)).select("id").show()', "[AMBIGUOUS_REFERENCE] Reference `id` is ambiguous"
    ),
    "parse error in several lines": Wrong(
        'spark.sql("""\nselect id,\n  count(*)\nfrm range(3)\n""")', "at or near 'range'", "SQL line 4, position 5"
    ),
    "no statement": Wrong('spark.sql("")', "[PARSE_EMPTY_STATEMENT]"),
    "type mismatch": Wrong('spark.sql("select array(1) + 1").show()', "data type mismatch", "array(1) + 1"),
    "overflow": Wrong(
        'spark.sql("select 2147483647 + x from values (int(1)) t(x)").collect()', "too large", "", "try_add"
    ),
    "no condition": Wrong("spark.range(3).filter(5).count()", "[AttributeError] 'int' object", "filter(5)"),
    "no number": Wrong('spark.range("a")', "[ValueError] invalid literal for int() with base 10: 'a'", 'range("a")'),
    "limit that is none": Wrong('spark.range(3).limit("x").count()', "[TypeError] ", 'limit("x")'),
    "division by zero": Wrong('spark.range(3).selectExpr("10 / id").collect()', "Division by zero", "10 / id"),
    "column made elsewhere": Wrong(
        'x = F.lit(1) / F.col("id")\ndf = spark.range(3).select(x)\ndf.collect()',
        "[DIVIDE_BY_ZERO]",
        'line 1: x = F.lit(1) / F.col("id")',
    ),
    "cast": Wrong("spark.sql(\"select cast('abc' as int)\").collect()", "The value 'abc'", "", "try_cast"),
    "array index": Wrong(
        'spark.sql("select array(1,2)[id] from range(9)").collect()', "out of bounds. The array has 2"
    ),
    "path not found": Wrong('spark.read.parquet("/no/such/path").show()', "[PATH_NOT_FOUND] Path does not exist"),
    "no right to write": Wrong('spark.range(3).write.csv("file.txt/below")', "Parent path is not a directory"),
    "path that exists": Wrong('spark.range(1).write.parquet("there")', "already exists", "", '"overwrite"'),
    "Python function": Wrong(
        '@F.udf("int")\ndef inverse(n):\n    m = n - 1\n    return 1 // m\n'
        'spark.range(3).select(inverse("id")).collect()',
        "ZeroDivisionError: integer division or modulo by zero",
        "line 4: return 1 // m",
    ),
    "function that calls another": Wrong(
        'def helper(n):\n    return {}[n]\n@F.udf("int")\ndef f(n):\n    return helper(n)\n'
        'spark.range(3).select(f("id")).write.mode("overwrite").parquet("never")',
        "KeyError: ",
        "line 2: return {}[n]",
    ),
    "exception of one's own": Wrong(
        'class Wrong(Exception): pass\n@F.udf("int")\ndef f(n):\n    raise Wrong("<b>no</b>")\n'
        'spark.range(3).select(f("id")).show()',
        "Wrong: <b>no</b>",
    ),
    "module that workers lack": Wrong(
        '@F.udf("int")\ndef f(n):\n    import no_such_module\nspark.range(3).select(f("id")).collect()',
        "no_such_module",
    ),
    "pandas function": Wrong(
        '@F.pandas_udf("long")\ndef g(s: pd.Series) -> pd.Series:\n    return s.nothing()\n'
        'spark.range(3).select(g("id")).collect()',
        "AttributeError: 'Series' object has no attribute 'nothing'",
        "line 3: return s.nothing()",
    ),
    "result of another type": Wrong(
        '@F.pandas_udf("long")\ndef g(s: pd.Series) -> pd.Series:\n    return pd.Series(["a"] * len(s))\n'
        'spark.range(3).select(g("id")).collect()',
        "Failed to convert the value of the column",
    ),
    "result of another length": Wrong(
        '@F.pandas_udf("long")\ndef g(s: pd.Series) -> pd.Series:\n    return pd.Series([1])\n'
        'spark.range(3).select(g("id")).collect()',
        "[RESULT_ROWS_MISMATCH]",
    ),
    "worker that dies": Wrong(
        '@F.udf("int")\ndef f(n):\n    import os\n    os._exit(3)\nspark.range(3).select(f("id")).show()',
        "Python worker exited unexpectedly",
    ),
    "function that cannot be sent": Wrong(
        'lock = threading.Lock()\n@F.udf("int")\ndef f(n):\n    lock.acquire()\n'
        'spark.range(3).select(f("id")).collect()',
        "Could not serialize object",
        "line 5:",
    ),
    "too large a result": Wrong(
        'spark.range(2_000_000).selectExpr("id", "uuid() as u").collect()', "maxResultSize", "", "Collect less"
    ),
    "table that exists": Wrong('spark.sql("create table twice (a int) using parquet")', "already exists"),
    "view that exists": Wrong('spark.range(1).createTempView("seen")', "already exists"),
    "unknown function": Wrong('spark.sql("select no_such_function(1)").show()', "`no_such_function`", "^^^"),
    "wrong number of arguments": Wrong("spark.sql(\"select substring('a')\").show()", "requires [2, 3] parameters"),
    "no GROUP BY": Wrong('spark.sql("select id, count(*) from range(3)").show()', "GROUP BY"),
    "union of other columns": Wrong(
        'spark.range(1).union(spark.range(1).selectExpr("id", "id as b")).show()', "the first input has 1 columns"
    ),
    "unknown source": Wrong('spark.read.format("no.such.source").load().count()', "no.such.source"),
    "malformed JSON": Wrong(
        'spark.read.schema("a int").option("mode", "FAILFAST").json("bad.json").collect()', "Unexpected character ('b'"
    ),
    "malformed CSV": Wrong(
        'spark.read.schema("a int, b int").option("mode", "FAILFAST").option("header", True).csv("bad.csv").collect()',
        'For input string: "x"',
    ),
    "corrupted parquet": Wrong('spark.read.schema("a int").parquet("bad.parquet").collect()', "is not a Parquet file"),
    "missing class": Wrong('spark.sql("select gone(1)").show()', "com.example.Gone"),
    "stream that breaks": Wrong(
        'q = spark.readStream.format("rate").load().selectExpr("raise_error(\'stream broke\')")'
        '.writeStream.format("noop").start()\nq.awaitTermination()',
        "stream broke",
    ),
    "stream that is collected": Wrong('spark.readStream.format("rate").load().collect()', "writeStream.start()"),
    "words of one's own": Wrong(
        "spark.sql(\"select raise_error('mine. And more; of it')\").collect()", "mine. And more;"
    ),
    "assertion": Wrong('spark.range(2).select(F.assert_true(F.col("id") < 1, "too large")).collect()', "too large"),
    "a megabyte of words": Wrong("spark.sql(\"select raise_error(repeat('x', 1000000))\").collect()", "xxxxxxxx"),
    "colours and markup": Wrong(
        "spark.sql(\"select raise_error('\\x1b[31mred\\x1b[0m <script>x</script> \\u202e')\").collect()",
        "red <script>x</script> \ufffd",
    ),
    "too complex a query": Wrong(
        'spark.sql("select * from range(3) where id = " + "1 + " * 20000 + "1").collect()', "too complex"
    ),
    "several rows in a subquery": Wrong(
        'spark.sql("select (select id from range(3)) as x").collect()', "More than one row"
    ),
    "unbound parameter": Wrong('spark.sql("select :x").collect()', "unbound parameter: x"),
    "conf of the engine": Wrong(
        'spark.conf.set("spark.executor.memory", "1g")',
        "spark.executor.memory",
        "",
        "--conf KEY=VALUE of create and restart",
    ),
    "column as a condition": Wrong('if F.col("id"): pass', "Cannot convert column into bool", 'line 1: if F.col("id")'),
    "not in Connect": Wrong("spark.range(3).rdd", "rdd is not implemented"),
    "join with a number": Wrong("spark.range(3).join(4)", "[SESSION_NOT_SAME]", "line 1: spark.range(3).join(4)"),
    "data of another length": Wrong('spark.createDataFrame([(1, "a")], "a int")', "Length mismatch"),
    "data of another type": Wrong('spark.createDataFrame([("x",)], "a int")', "Could not convert 'x'"),
    "columns of what is not there": Wrong('bad = spark.table("sales")\nbad.columns', "`sales`", "line 2: bad.columns"),
    "result that cannot be shown": Wrong('bad = spark.table("sales")\nbad', "`sales`", "line 2: bad"),
    "display": Wrong('display(spark.table("sales"))', "`sales`", "line 1: display"),
    "toPandas": Wrong(
        "spark.sql(\"select cast(s as date) from values ('2024-13-45') t(s)\").toPandas()", "'2024-13-45'", "^^^"
    ),
    "while another is handled": Wrong(
        'try:\n    1 / 0\nexcept Exception:\n    spark.table("sales").count()', "`sales`"
    ),
    "function of the notebook": Wrong(
        'def load(name):\n    return spark.table(name).count()\n\nload("sales")',
        "`sales`",
        'line 4: load("sales") → cell',
    ),
    "SQL cell": Wrong("%%rucat sql\nselect *\n  from sales", "[TABLE_OR_VIEW_NOT_FOUND]", "from sales\n"),
    "SQL line": Wrong("%rucat sql select nope from range(3)", "`nope`", "select nope from range(3)\n", "[`id`]"),
    "coroutine": Wrong(
        'async def go():\n    spark.table("sales").count()\nawait go()', "`sales`", "line 3: await go()"
    ),
    "long Chinese name": Wrong(
        "spark.sql('select * from `' + '表' * 700 + '`').count()",
        "[TABLE_OR_VIEW_NOT_FOUND] The table or view `表表表",
        "line 1: spark.sql",
    ),
    "long Chinese words": Wrong(
        "spark.sql(\"select raise_error(repeat('漢', 20000))\").collect()", "[USER_RAISED_EXCEPTION] 漢漢漢"
    ),
    "function that raises emoji": Wrong(
        "@F.udf('int')\ndef shout(x):\n    raise ValueError('😀' * 7500)\n\n"
        "spark.range(1).select(shout('id')).collect()",
        "ValueError: 😀😀😀",
        "line 3: raise ValueError",
    ),
    "too much data in a query": Wrong(
        "import os\nspark.range(1).select(F.lit(os.urandom(140 << 20))).collect()",
        "[MESSAGE_TOO_LARGE] The query with its data has 140.1 MiB, more than the 128 MiB that one message to an",
        "line 2: spark.range(1)",
        "spark.read",
    ),
    "loop of conditions": Wrong(
        "df = spark.range(1)\nfor _ in range(3000):\n    df = df.filter('id >= 0')\ndf.collect()",
        "[RecursionError]",
        "line 4: df.collect()",
        "nested too deep",
    ),
    "loop of sums": Wrong(
        "c = F.col('id')\nfor _ in range(400):\n    c = c + 1\nspark.range(1).select(c).collect()",
        "[DecodeError]",
        "line 4: spark.range(1)",
        "nested too deep",
    ),
}
