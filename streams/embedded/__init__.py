"""The log and the Faust transport that need nothing but Python."""
