"""Tests of labctl.node."""
