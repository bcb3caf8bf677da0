"""Tests of labctl.crowd."""
