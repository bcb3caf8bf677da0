"""The libvirt provider: daemon, and a lab's network, volumes and domains."""
