"""What runs the machines: Docker, libvirt, VirtualBox, and Vagrant, which starts all of them."""
