"""Tests of labctl.docker."""
