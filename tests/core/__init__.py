"""Tests of labctl.core."""
