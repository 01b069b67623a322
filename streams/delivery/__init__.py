"""Every way out to a subscriber."""
