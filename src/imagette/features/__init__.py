"""What a network that has learned from ImageNet sees in a picture: numbers that a head learns on."""
