"""Tests of the report: reading, merging, redacting, and the page in a real browser."""
