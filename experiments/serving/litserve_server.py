"""A bundle on LitServe, as its documentation has it for pictures on a CPU.

    python litserve_server.py PORT WORKERS FAST_QUEUE MAX_BATCH_SIZE

FAST_QUEUE is 0 or 1. Pictures come in forms, for it reads forms and JSON only.
"""

import os
import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime
from PIL import Image

# How long a batch is waited for, in seconds.
BATCH_TIMEOUT = 0.005


class Alone(litserve.LitAPI):
    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
        self.name = self.session.get_inputs()[0].name
        self.size = self.session.get_inputs()[0].shape[2:0:-1]  # width, height

    def decode_request(self, request: Any) -> np.ndarray:
        return np.asarray(Image.open(request["image"].file).convert("RGB").resize(self.size))

    def predict(self, pixels: Any) -> np.ndarray:
        return self.session.run(["probabilities"], {self.name: pixels[np.newaxis]})[0][0]

    def encode_response(self, probabilities: np.ndarray) -> dict:
        return {"prediction": int(probabilities.argmax()), "probabilities": probabilities.tolist()}


class Batched(Alone):
    def predict(self, pictures: Any) -> np.ndarray:
        return self.session.run(["probabilities"], {self.name: np.stack(pictures)})[0]


if __name__ == "__main__":
    port, workers, fast_queue, batch = map(int, sys.argv[1:])
    api = Alone() if batch == 1 else Batched(max_batch_size=batch, batch_timeout=BATCH_TIMEOUT)
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=workers, fast_queue=bool(fast_queue)
    )
    server.run(host="127.0.0.1", port=port, log_level="error", generate_client_file=False)
