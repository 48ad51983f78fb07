"""The last layer, in closed form: from a network's features to classes, in NumPy alone."""
