"""Starts, watches and stops the parts of one instance. Knows every room; no room knows it."""
