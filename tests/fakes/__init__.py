"""What stands in for the nodes of a lab in unit tests."""
