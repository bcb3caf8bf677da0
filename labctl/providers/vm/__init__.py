"""What the providers of virtual machines share: disks, baking, boot check, seeds, boxes."""
