# What a bake is told.  labctl/packer.py writes these into a file of its own for each bake.

variable "role" {
  type        = string
  description = "jms, jvb or visitors."
}

variable "base" {
  type        = string
  description = "Docker image that holds the base tree."
}

variable "container" {
  type        = string
  description = "Name of the container that is baked in, so that a bake that was killed can be found."
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
  # Where the input lies on the machine that is baked.
  upload = "/tmp/labctl-bake"
}
