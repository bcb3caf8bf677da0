"""Virtual machines: disks, baking, boot gate, seeds, boxes."""
