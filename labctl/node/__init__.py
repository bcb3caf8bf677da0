"""Access to the nodes: ssh, keys, and the seam that runs commands there."""
