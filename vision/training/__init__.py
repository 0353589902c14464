"""How the network that finds the ball is trained: synthetic images, the network in torch, the loop."""
