"""The engine: from an accepted connection to a settled call."""
