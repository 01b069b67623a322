"""Batch loads: bytes durable in the log before the answer, validated whole, then written like any record."""
