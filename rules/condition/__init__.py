"""Conditions in CEL syntax: parsed, typed, compiled to Python."""
