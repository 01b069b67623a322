"""What runs it all: settings, wiring, start and stop, the command line."""
