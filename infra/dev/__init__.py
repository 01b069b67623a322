"""Servers for development, brought up on this machine: Apache Kafka and PostgreSQL."""
