"""Tests of labctl.drills."""
