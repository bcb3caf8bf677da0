"""A lab as data: nodes, roles, addresses and ports, and the lab's folder."""
