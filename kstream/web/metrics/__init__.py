"""What Prometheus is told. The names are those of Kafka's own metrics as its JMX exporter and kafka_exporter
write them, so that dashboards for Kafka work; what only kstream has begins with `kstream_`.
"""
