"""VirtualBox as the home of nodes: what Vagrant cannot say or do about its machines."""
