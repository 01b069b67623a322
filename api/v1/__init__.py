"""The native endpoints, a file a URL word."""
