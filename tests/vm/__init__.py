"""Tests of labctl.vm."""
