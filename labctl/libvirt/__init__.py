"""libvirt as the home of nodes: its daemon, a lab's network, volumes and domains."""
