"""The classic recipe by plain Keras `fit`: what trainings are timed against.

    KERAS_BACKEND=tensorflow python classic_fit.py IMAGES.npz SEED MOST_EPOCHS PATIENCE

A script of its own, for a Python that need not have Imagette: it imports Keras and NumPy only. It
prints a JSON line an epoch, and one at the end: `seconds` are those of training so far, with the
validation, and the first batches in which Keras prepares itself, left out; `pictures` are those
learned in an epoch.
"""

import json
import sys
import time

import keras
import numpy as np
from keras import layers


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds up the seconds of the epochs, less those of the validations within them."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.seconds -= time.perf_counter()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self.seconds += time.perf_counter()

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        self.seconds -= time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.seconds += time.perf_counter()
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        print(json.dumps({"epoch": epoch + 1, "seconds": self.seconds, **numbers}), flush=True)


def classic_model(shape: tuple[int, ...], classes: int) -> keras.Model:
    """The network and the compilation of the classic tutorial, for pixels 0–1."""
    model = keras.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(images: str, seed: int, epochs: int, patience: int) -> None:
    """Train as the tutorial does, and measure once on the test pictures."""
    keras.utils.set_random_seed(seed)
    with np.load(images) as data:
        train, test = data["train"].astype("float32") / 255, data["test"].astype("float32") / 255
        train_labels, test_labels = data["train_labels"], data["test_labels"]
    model = classic_model(train.shape[1:], int(train_labels.max()) + 1)
    initial = model.get_weights()
    model.fit(train[:640], train_labels[:640], batch_size=64, verbose=0)
    model.set_weights(initial)
    clock = Clock()
    stopping = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
    model.fit(
        train, train_labels, batch_size=64, epochs=epochs, validation_split=0.2, verbose=0,
        callbacks=[clock, stopping],
    )  # fmt: skip
    loss, accuracy = model.evaluate(test, test_labels, batch_size=500, verbose=0)
    learned = len(train) - int(len(train) * 0.2)
    end = {"seconds": clock.seconds, "accuracy": accuracy, "loss": loss, "pictures": learned}
    print(json.dumps(end))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
