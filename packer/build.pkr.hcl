# How a role is baked: the same steps for every kind of machine, as root through sudo.

build {
  sources = ["source.docker.role", "source.qemu.role", "source.virtualbox-ovf.role"]

  provisioner "shell" {
    inline = ["mkdir -p ${local.upload}"]
  }

  provisioner "file" {
    source      = "${var.input}/"
    destination = local.upload
  }

  provisioner "shell" {
    environment_vars = [
      "LABCTL_INPUT=${local.upload}",
      "LABCTL_HOST=${var.placeholder_host}",
      "LABCTL_PROSODY=${var.prosody_at_least}",
      "LABCTL_NAMESERVER=${var.nameserver}",
    ]
    execute_command = "sudo env {{ .Vars }} /bin/sh {{ .Path }}"
    scripts = [
      "${path.root}/../../scripts/install.sh",
      "${path.root}/../../scripts/keep.sh",
      "${path.root}/../../scripts/clean.sh",
      "${path.root}/../../scripts/check.sh",
    ]
  }

  provisioner "file" {
    direction   = "download"
    source      = "${local.upload}/installed"
    destination = "${var.output}/installed"
  }

  provisioner "shell" {
    execute_command = "sudo /bin/sh {{ .Path }}"
    script          = "${path.root}/../../scripts/finish.sh"
  }

  post-processor "manifest" {
    output = "${var.output}/manifest.json"
  }
}
