"""Tests of what the acceptance suite is built from."""
