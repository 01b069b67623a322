"""Every loop that reads a topic."""
