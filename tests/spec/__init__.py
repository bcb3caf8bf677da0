"""Tests of labctl.spec."""
