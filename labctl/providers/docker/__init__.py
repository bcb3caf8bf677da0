"""The Docker provider: engine, images, and a lab's network and containers."""
