"""Sends packages to hospitals and 120 by signed HTTP (docs/package.md)."""
