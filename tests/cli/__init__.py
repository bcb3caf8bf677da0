"""Tests of labctl.cli."""
