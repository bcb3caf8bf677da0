"""Tests of labctl.host."""
