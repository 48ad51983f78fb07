"""What a network that has learned from ImageNet sees in a picture, as numbers to learn from."""
