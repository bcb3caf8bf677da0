"""The acceptance suite: what a lab's users rely on, checked on the running nodes."""
