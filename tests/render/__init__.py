"""Tests of labctl.render."""
