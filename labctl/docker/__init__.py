"""Docker as the home of nodes: its engine, images, a lab's network and containers."""
