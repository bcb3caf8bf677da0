"""The report of a run of the acceptance suite: from plain data to JSON and one HTML file.

Nothing in here asks a node or reads a lab's folder: `labctl.lab.report` brings everything.
"""
