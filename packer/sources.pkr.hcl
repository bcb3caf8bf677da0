# Where a role is baked.  One source per kind of machine; the build is the same for all.

source "docker" "role" {
  image  = var.base
  pull   = false
  commit = true

  # The host's network, because downloads stall if its MTU is smaller than the bridge's.
  # The shell keeps the container alive; systemd does not run while a role is baked.
  # Where the engine maps users (userns-remap), that network needs this machine's users, too;
  # SELinux would keep the container from what Packer puts into /tmp/packer.
  run_command = [
    "-d", "-i", "-t", "--network", "host", "--userns", "host",
    "--security-opt", "label=disable", "--security-opt", "apparmor=unconfined",
    "--name", var.container,
    "--", "{{ .Image }}", "/bin/sh",
  ]
  # /tmp is covered by a tmpfs in a node, so the mount point does not show there.
  container_dir = "/tmp/packer"

  # labctl adds labels and the signal that stops systemd when it gives the image its name.
  changes = ["CMD [\"/lib/systemd/systemd\"]"]
}

source "qemu" "role" {
  iso_url      = var.base
  iso_checksum = "none"
  disk_image   = true

  # A copy of the base, packed afterwards.  (A backing file would cost nothing, but Packer 1.6 does
  # not name its format, which QEMU 6.1 and later require.)
  format          = "qcow2"
  disk_size       = "${var.disk_mib}M"
  skip_compaction = true
  disk_interface  = "virtio"
  disk_cache      = "unsafe"
  disk_discard    = "unmap"

  vm_name          = "disk.qcow2"
  output_directory = "${var.output}/machine"
  headless         = true
  memory           = var.memory_mib
  cpus             = var.cpus
  net_device       = "virtio-net"
  accelerator      = var.accelerator == "kvm" ? "kvm" : "none"
  qemuargs         = local.qemu

  boot_wait              = "1s"
  communicator           = "ssh"
  ssh_username           = "vagrant"
  ssh_private_key_file   = var.ssh_key
  ssh_timeout            = var.ssh_timeout
  ssh_handshake_attempts = 100
  shutdown_command       = "sudo systemctl poweroff"
  shutdown_timeout       = "5m"
}

# For hosts that have VirtualBox only; the base is an OVF of the same disk.
source "virtualbox-ovf" "role" {
  source_path          = var.base
  checksum             = "none"
  vm_name              = var.machine
  headless             = true
  guest_additions_mode = "disable"
  # Nothing about VirtualBox is written into the machine.
  virtualbox_version_file = ""

  vboxmanage = [
    ["modifyvm", "{{.Name}}", "--memory", "${var.memory_mib}", "--cpus", "${var.cpus}"],
    ["modifyvm", "{{.Name}}", "--paravirtprovider", "kvm", "--rtcuseutc", "on"],
    ["modifyvm", "{{.Name}}", "--graphicscontroller", "vmsvga", "--audio-enabled", "off"],
    # Packer always turns on the remote display.
    ["modifyvm", "{{.Name}}", "--vrde", "off"],
    [
      "storageattach", "{{.Name}}", "--storagectl", "SATA", "--port", "1", "--device", "0",
      "--type", "dvddrive", "--medium", var.seed,
    ],
  ]
  vboxmanage_post = [
    [
      "storageattach", "{{.Name}}", "--storagectl", "SATA", "--port", "1", "--device", "0",
      "--medium", "none",
    ],
  ]

  format           = "ovf"
  output_directory = "${var.output}/machine"

  boot_wait              = "1s"
  communicator           = "ssh"
  ssh_username           = "vagrant"
  ssh_private_key_file   = var.ssh_key
  ssh_timeout            = var.ssh_timeout
  ssh_handshake_attempts = 100
  shutdown_command       = "sudo systemctl poweroff"
  shutdown_timeout       = "5m"
}
