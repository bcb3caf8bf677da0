"""Tests of labctl.images."""
