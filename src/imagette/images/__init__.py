"""Any picture to pixels: one way for training and for answering, so that both see the same."""
