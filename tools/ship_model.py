"""Make one of the models that ship with the package out of a run on CIFAR-10.

    python tools/ship_model.py runs/cifar10-best default weights
    python tools/ship_model.py runs/cifar10-lite lite all

Writes the bundle in 8 bits into the assets, with the accuracy that it has on the test pictures, and
prints what its card says: on the pictures held out for validation what 8 bits cost, on the test
pictures all that `imagette evaluate` measures.
"""

import argparse
import json
import tempfile
from pathlib import Path

from imagette import Classifier, evaluate, load_dataset
from imagette.data import split_validation
from imagette.evaluation import evaluation_for_bundle
from imagette.evaluation.metrics import measure
from imagette.evaluation.run_folder import read_run
from imagette.inference.bundle import SHIPPED
from imagette.training.export import export, update_metadata


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name", choices=SHIPPED)
    parser.add_argument("quantize", choices=["weights", "all"])
    arguments = parser.parse_args()
    target, facts = SHIPPED[arguments.name], read_run(arguments.run).facts
    export(arguments.run, "onnx", out=target, quantize=arguments.quantize)
    dataset = load_dataset("cifar10")
    _, held_out = split_validation(dataset.train, facts.validation_fraction, facts.seed)
    validation = {}
    for kind, path in (("float32", arguments.run / "model.onnx"), ("8 bits", target)):
        classifier = Classifier(path)
        answers = classifier.probabilities(held_out.images)
        metrics = measure(answers, held_out.labels, classifier.class_names)
        validation[kind] = {key: metrics[key] for key in ("accuracy", "loss", "calibration_error")}
    with tempfile.TemporaryDirectory() as folder:
        test = evaluate(target, dataset, out=folder).metrics
    update_metadata(
        target,
        accuracy=test["accuracy"],
        accuracy_split=test["split"],
        evaluation=evaluation_for_bundle(test, arguments.run),
        licence="MIT",
    )
    print(json.dumps({"validation": validation, "test": test}, indent=2))


if __name__ == "__main__":
    main()
