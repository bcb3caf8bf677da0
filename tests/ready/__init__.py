"""Tests of labctl.ready."""
