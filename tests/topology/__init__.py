"""Tests of labctl.topology."""
