"""A lab as a picture: nodes, addresses, ports, and who opens which connection."""

from labctl.graph.picture import Picture, make_picture

__all__ = ["Picture", "make_picture"]
