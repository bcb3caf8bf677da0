"""The VirtualBox provider: what Vagrant cannot do for its machines."""
