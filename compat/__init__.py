"""Stories with stock Kafka clients, and the servers they run against."""
