"""The shortest Flask endpoint of a bundle: what the others are held against."""

import io
import os

import numpy as np
import onnxruntime
from flask import Flask, request
from PIL import Image

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
name = session.get_inputs()[0].name
size = session.get_inputs()[0].shape[2:0:-1]  # width, height
app = Flask(__name__)


@app.post("/predict")
def predict() -> dict:
    image = Image.open(io.BytesIO(request.get_data())).convert("RGB").resize(size)
    probabilities = session.run(["probabilities"], {name: np.asarray(image)[np.newaxis]})[0][0]
    return {"prediction": int(probabilities.argmax()), "probabilities": probabilities.tolist()}
