"""A bundle on BentoML, as its documentation has it for pictures on a CPU.

    bentoml serve bentoml_server:Classifier --port PORT

The picture is the whole body of a request.
"""

import os

import bentoml
import numpy as np
import onnxruntime
from PIL.Image import Image


@bentoml.service(workers=int(os.environ["WORKERS"]))
class Classifier:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
        self.name = self.session.get_inputs()[0].name
        self.size = self.session.get_inputs()[0].shape[2:0:-1]  # width, height

    @bentoml.api
    def predict(self, image: Image, /) -> dict:
        pixels = np.asarray(image.convert("RGB").resize(self.size))
        probabilities = self.session.run(["probabilities"], {self.name: pixels[np.newaxis]})[0][0]
        return {"prediction": int(probabilities.argmax()), "probabilities": probabilities.tolist()}
