# For `packer init`, Packer 1.7 and later.  Kept out of the templates' folder because Packer 1.6
# (Debian 12), which has its builders built in, does not know this block.

packer {
  required_plugins {
    docker = {
      source  = "github.com/hashicorp/docker"
      version = ">= 1.0.0"
    }
  }
}
