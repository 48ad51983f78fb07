"""Classifiers that were trained elsewhere, as bundles that answer the same.

`keras_classifier.py` and `onnx_classifier.py` bring a file to one form, `foreign_classifier.py`: an
ONNX graph from what the network takes to what it gives. The rest works on that form:
`pixel_values.py` and `picture_input.py` say what the network takes, `first_weights.py` reads which
values from the graph where it can be told, `last_layer.py` what its answers mean, `bundle_graph.py`
makes the bundle, `compare.py` compares it with the original, and `make_bundle.py` does all of it in
order.
"""
