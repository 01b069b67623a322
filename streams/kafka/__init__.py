"""The log on Apache Kafka, and the Faust transport that reads it."""
