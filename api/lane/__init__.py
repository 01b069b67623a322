"""The road of a write, from the request to the acknowledgement."""
