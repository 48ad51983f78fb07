"""Check that TensorFlow opens what Imagette saves and answers the same.

    python tests/outside/tensorflow_opens_our_files.py PYTHON_WITH_TENSORFLOW

Run by `make test-tensorflow`. This process trains a digits run and writes its `.keras` and `.h5`;
the other Python, which knows nothing of Imagette, loads them and compares.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import imagette
from imagette.training.export import export

CHECK = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np
folder = sys.argv[1]
with np.load(folder + "/expected.npz") as file:
    pictures, expected = file["pictures"].astype("float32"), file["expected"]
for name, divisor in (("model.keras", 1), ("model.h5", 255)):
    model = keras.saving.load_model(folder + "/" + name, compile=False)
    difference = np.abs(model.predict(pictures / divisor, verbose=0) - expected).max()
    print(f"{name} on {keras.backend.backend()}: largest difference {difference:.1e}")
    assert difference < 1e-4
"""


def main() -> None:
    digits = imagette.load_dataset("digits")
    assert digits.test is not None
    with tempfile.TemporaryDirectory() as folder:
        recipe = imagette.Recipe.load("classic").change(epochs=3)
        run = imagette.train(digits, recipe, name="run", runs_dir=folder).folder
        export(run, "h5")
        pictures = digits.test.images
        expected = imagette.Classifier(run / "model.onnx").predict_proba(pictures)
        np.savez(Path(run, "expected.npz"), pictures=pictures, expected=expected)
        subprocess.run([sys.argv[1], "-c", CHECK, str(run)], check=True)


if __name__ == "__main__":
    main()
