"""The local stack: Apache Kafka, schema registry, ClickHouse, Prometheus and weft's services as plain processes.

`layout` says where things lie and on which ports, `process` starts and ends programs and remembers which are ours,
`probe` asks them whether they are ready, `pieces` knows how each is run, `steps` puts them in order.
"""
