"""Tests of labctl.providers.libvirt."""
