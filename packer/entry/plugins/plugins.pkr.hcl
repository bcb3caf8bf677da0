# Packer 1.7 and later fetches its builders.  Packer 1.6 (Debian 12) has them built in and does not
# know this block, so the block is in an entry point of its own.

packer {
  required_plugins {
    docker = {
      source  = "github.com/hashicorp/docker"
      version = "~> 1.1"
    }
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = "~> 1.1"
    }
    virtualbox = {
      source  = "github.com/hashicorp/virtualbox"
      version = "~> 1.1"
    }
  }
}
