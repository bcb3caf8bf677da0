# Where a role is baked.  One source per kind of machine; the build is the same for all.

source "docker" "role" {
  image  = var.base
  pull   = false
  commit = true

  # The host's network: where its MTU is smaller than the bridge's, downloads through it stall.
  # The shell keeps the container alive; systemd does not run while a role is baked.
  run_command = [
    "-d", "-i", "-t", "--network", "host", "--name", var.container,
    "--", "{{ .Image }}", "/bin/sh",
  ]
  # /tmp is covered by a tmpfs in a node, so the mount point does not show there.
  container_dir = "/tmp/packer"

  # labctl adds labels and the signal that stops systemd when it gives the image its name.
  changes = ["CMD [\"/lib/systemd/systemd\"]"]
}
