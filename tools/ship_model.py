"""Make one of the models that ship with the package out of a run on CIFAR-10.

    python tools/ship_model.py runs/cifar10-best cifar10
    python tools/ship_model.py runs/cifar10-lite cifar10-lite --quantize all

Writes the bundle into the assets, with the accuracy that it has on the test pictures, and prints
what its card says: on the pictures held out for validation, also the accuracy of the float32
network; on the test pictures, all that `imagette evaluate` measures.
"""

import argparse
import json
import tempfile
from pathlib import Path

from imagette import Classifier, evaluate, load_dataset
from imagette.data import split_validation
from imagette.evaluation import evaluation_for_bundle
from imagette.evaluation.metrics import measure
from imagette.inference.bundle import SHIPPED, open_bundle
from imagette.runs import read_run
from imagette.training.bundle_writer import update_bundle
from imagette.training.export import export
from imagette.training.keras_files import load_keras_file
from imagette.training.outputs import compute_logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name", choices=SHIPPED)
    parser.add_argument("--quantize", choices=["weights", "all"])
    arguments = parser.parse_args()
    target, info = SHIPPED[arguments.name], read_run(arguments.run).info
    export(arguments.run, "onnx", out=target, quantize=arguments.quantize)
    classifier = Classifier(target)
    _, held_out = split_validation(
        load_dataset("cifar10").train, info.validation_fraction, info.seed
    )
    images = held_out.resized(classifier.height, classifier.width).images
    logits = compute_logits(load_keras_file(arguments.run / "model.keras"), images)
    answers = classifier.predict_proba(images)
    metrics = measure(answers, held_out.labels, classifier.class_names)
    validation = {key: metrics[key] for key in ("accuracy", "loss", "calibration_error")}
    validation["accuracy_in_float32"] = float((logits.argmax(axis=1) == held_out.labels).mean())
    with tempfile.TemporaryDirectory() as folder:
        test = evaluate(arguments.name, out=folder).metrics
    update_bundle(
        target,
        accuracy=test["accuracy"],
        accuracy_split=test["split"],
        evaluation=evaluation_for_bundle(test | {"model": arguments.name}, arguments.run),
        licence=open_bundle(target).metadata.licence or "MIT",
        sample_split="",
        samples=(),  # nobody knows under what terms CIFAR-10's pictures may be passed on
    )
    print(json.dumps({"validation": validation, "test": test}, indent=2))


if __name__ == "__main__":
    main()
