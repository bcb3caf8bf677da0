# The variables of a bake.  labctl/images/packer.py writes their values to a file for each bake.

variable "role" {
  type        = string
  description = "jms, jvb or visitors."
}

variable "base" {
  type        = string
  description = "What the role is baked on: a Docker image, a disk (qemu), an OVF (virtualbox-ovf)."
}

variable "container" {
  type        = string
  default     = ""
  description = "Name of the container that is baked in, so that a bake that was killed can be found."
}

variable "machine" {
  type        = string
  default     = ""
  description = "Name of the virtual machine that is baked in, and of its disk."
}

variable "seed" {
  type        = string
  default     = ""
  description = "ISO with the ssh keys of this one bake; see packer/scripts/vm.sh."
}

variable "ssh_key" {
  type        = string
  default     = ""
  description = "Private key of this one bake."
}

variable "ssh_timeout" {
  type        = string
  default     = "5m"
  description = "How long the virtual machine may take to answer ssh."
}

variable "accelerator" {
  type        = string
  default     = "tcg"
  description = "kvm, or tcg for software emulation (qemu)."
}

variable "nameserver" {
  type        = string
  default     = ""
  description = "Name server while a role is baked, if the machine does not know one itself."
}

variable "cpus" {
  type        = number
  default     = 1
  description = "Processors of the virtual machine while it is baked."
}

variable "memory_mib" {
  type        = number
  default     = 1536
  description = "Memory of the virtual machine while it is baked."
}

variable "disk_mib" {
  type        = number
  default     = 8192
  description = "Size of the base disk (qemu), which Packer would make larger otherwise."
}

variable "input" {
  type        = string
  description = "Folder with sources, answers and local packages for install.sh."
}

variable "output" {
  type        = string
  description = "Folder that receives the list of installed packages and Packer's manifest."
}

variable "placeholder_host" {
  type        = string
  description = "Host name that the packages are configured for while they are installed."
}

variable "prosody_at_least" {
  type        = string
  description = "Oldest Prosody that check.sh lets pass."
}

locals {
  # The folder of the input on the machine that is baked.
  upload = "/tmp/labctl-bake"

  qemu = concat(
    [
      ["-machine", "type=pc"],
      ["-cdrom", var.seed],
      ["-device", "virtio-rng-pci"],
      # Packer's default, but reachable only from this machine.
      ["-netdev", "user,id=user.0,hostfwd=tcp:127.0.0.1:{{ .SSHHostPort }}-:22"],
    ],
    var.accelerator == "kvm" ? [["-cpu", "host"]] : [["-accel", "tcg,thread=multi"], ["-cpu", "qemu64"]]
  )
}
