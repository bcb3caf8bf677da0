"""Tests of labctl.libvirt."""
