"""What a record may look like, and how that may change."""
