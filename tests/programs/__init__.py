"""Rendered configuration, read by the programs that it is for."""
