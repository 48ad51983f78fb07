"""A head in closed form: from pictures to a bundle and its report, in seconds.

Nothing here needs a training framework: ONNX Runtime computes the features and NumPy the head.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from imagette import __version__
from imagette.data import BUILT_IN, Dataset
from imagette.data.check import check
from imagette.data.explore import Copy, group_copies
from imagette.errors import ImagetteError
from imagette.evaluation.evaluate import evaluation_for_bundle
from imagette.evaluation.leave_one_out import (
    LEFT_OUT,
    Answers,
    answers_left_out,
    measure_collected,
    says_nothing,
)
from imagette.evaluation.write_evaluation import REPORT, write_evaluation
from imagette.features.backbone import LICENCE, PARAMETERS, Backbone, backbone_path, open_backbone
from imagette.features.collect import TO_CHOOSE_BY, Collected, choose_view, collect
from imagette.files import write_bytes
from imagette.heads.head import Head, LeftOut, fit_head
from imagette.heads.head_graph import add_head
from imagette.heads.ood_score import METHOD, THRESHOLD
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.inference.classifier import Classifier
from imagette.inference.model_card import write_cards
from imagette.training.job import Job
from imagette.training.recipe import Recipe
from imagette.training.reporter import Reporter
from imagette.training.resume import changed

FIT = "fitting the last layer"
WRITE = "writing the bundle"
CHECK = "checking that the bundle answers as was measured"

_CHECKED = 16
"""So many answers of the bundle are compared with those that were measured."""


def train_closed_form(job: Job) -> dict[str, Any]:
    """Fit a head to a dataset's features, measure it, and fill the run folder; returns the metrics.

    A run that was stopped is done anew; features that are known are not computed again.

    Raises:
        ImagetteError: a class has no readable picture, or the weights are not installed.
        KeyboardInterrupt: stopped by Ctrl-C.
    """
    started = time.perf_counter()
    recipe, found, reporter = job.recipe, job.found, job.reporter
    backbone = _open_backbone(recipe, reporter)
    reporter.on_collect(job.folder, recipe, found.count)
    looking = time.perf_counter()
    view = choose_view(found, backbone)
    looked_at = min(TO_CHOOSE_BY, len(found.raw_train.images))
    seconds = (time.perf_counter() - looking) / (2 * looked_at)  # in two views
    seconds *= (found.count - looked_at) / job.workers.machines
    reporter.on_eta(seconds, _estimate(len(found.raw_train.images)))
    collected = collect(found, backbone, view, job.workers.compute_features)
    # Their images are decoded when they are asked for.
    examples = {name: one.examples for name, one in collected.splits.items()}
    dataset = Dataset.from_source(found, examples, collected.skipped)
    reporter.on_fit(view)
    reporter.on_step(FIT)
    fit_started = time.perf_counter()
    labels, classes = dataset.train.labels, len(dataset.class_names)
    head, left_out = fit_head(collected.train.rows, labels, classes, job.workers.spread)
    if dataset.source not in BUILT_IN:
        reporter.on_data(_check(dataset, collected, left_out))
    of_learned = answers_left_out(collected.train, left_out)
    right = of_learned.probabilities.argmax(axis=1) == of_learned.examples.labels
    alone = np.bincount(of_learned.examples.labels).max() == 1  # a single image of each class
    reporter.on_head(None if alone else float(np.mean(right)), time.perf_counter() - fit_started)
    _check_earlier(job, collected)
    parameters = PARAMETERS[recipe.variant] + head.kernel.size + head.bias.size
    info = job.make_info(collected.train.fingerprint(), "cpu", parameters)
    seconds = round(time.perf_counter() - started, 3)
    info = info.model_copy(update={"epochs": 0, "seconds": seconds})
    # From here on there is a run to go on with.
    job.write_choices()
    job.write_info(info)
    answers = measure_collected(collected, head, of_learned)
    metrics = _write(job, collected, dataset, backbone, head, answers, parameters)
    job.write_info(info.model_copy(update={"finished": True}))
    return metrics


def _estimate(pictures: int) -> dict[str, float]:
    """About how many seconds the last steps take on two cores, by their names."""
    return {FIT: 1 + 5e-4 * pictures, WRITE: 1.0, CHECK: 1.0, REPORT: 5.0}


def _check_earlier(job: Job, collected: Collected) -> None:
    """Make sure that a run that is gone on with is done anew with the pictures it began with."""
    if job.earlier and job.earlier.train_fingerprint != collected.train.fingerprint():
        raise changed(job.folder, job.earlier, job.found.source)


def _open_backbone(recipe: Recipe, reporter: Reporter) -> Backbone:
    if not backbone_path(recipe.variant).is_file():
        reporter.on_prepare()
    backbone = open_backbone(recipe.variant)
    if recipe.image_size != backbone.size:
        raise ImagetteError(
            f"The recipe {recipe.name} looks at {backbone.size}×{backbone.size} pixels, not at"
            f" {recipe.image_size}×{recipe.image_size}.",
            f"Set it so: --set image_size={backbone.size}; or train all layers: --recipe finetune.",
        )
    return backbone


def _check(dataset: Dataset, collected: Collected, left_out: LeftOut) -> list[str]:
    """What there is to know of the pictures, near duplicates included."""
    copies = [
        (digest, Copy(name, position, int(label)))
        for name, one in collected.splits.items()
        for position, (digest, label) in enumerate(
            zip(one.digests, one.examples.labels, strict=True)
        )
    ]
    lines = check(dataset, group_copies(copies), single_is_enough=True)
    alike = sum(len(group) for group in left_out.groups)
    if alike:
        lines.append(
            f"Nearly the same: {alike:,} pictures look nearly like another one of their class. Each"
            " is measured without those, which would make the accuracy look better than it is."
        )
    if left_out.left_in:
        lines.append(
            f"Very much alike: {left_out.left_in:,} pictures look nearly like most of their class,"
            " as frames of one film do. The accuracy measured on them is too high: test with"
            " pictures taken on another day."
        )
    return lines


def _write(
    job: Job,
    collected: Collected,
    dataset: Dataset,
    backbone: Backbone,
    head: Head,
    answers: Answers,
    parameters: int,
) -> dict[str, Any]:
    """Write the bundle, what was measured of it, and its report."""
    import onnx

    folder, recipe, bundle = job.folder, job.recipe, job.folder / "model.onnx"
    proto = add_head(backbone.content, head)
    metadata = BundleMetadata(
        class_names=dataset.class_names,
        class_names_fr=dataset.class_names_fr,
        imagette_version=__version__,
        model=recipe.model,
        parameters=parameters,
        dataset=dataset.name,
        recipe=recipe.to_metadata(),
        temperature=head.temperature,
        familiarity_threshold=THRESHOLD,
        familiarity_method=METHOD,
        view=collected.view,
        licence=LICENCE,
        **job.about_pictures(dataset.splits, collected.train.digests),
    )

    def save(told: BundleMetadata) -> None:
        onnx.helper.set_model_props(proto, told.to_properties())
        write_bytes(bundle, proto.SerializeToString())
        open_bundle(bundle, made_here=True)

    job.reporter.on_step(WRITE)
    save(metadata)
    job.reporter.on_step(CHECK)
    classifier = Classifier(bundle)
    _compare(classifier, answers)
    given = collected.splits.get(answers.split)
    left_out = len(given.digests) - len(answers.examples) if given else 0
    more = {"learned_left_out": left_out} if left_out else None
    job.reporter.on_step(REPORT)
    metrics = write_evaluation(folder, classifier, job.found, answers, more=more)
    metadata = metadata.model_copy(update=_about_evaluation(metrics, folder))
    save(metadata)
    write_cards(folder, metadata)
    return metrics


def _about_evaluation(metrics: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What the bundle says of how it was measured: fields of `BundleMetadata`."""
    told = {"accuracy_split": metrics["split"]}
    if not says_nothing(metrics):
        evaluation = evaluation_for_bundle(metrics, folder)
        told |= {"accuracy": metrics["accuracy"], "evaluation": evaluation}
    return told


def _compare(classifier: Classifier, answers: Answers) -> None:
    """Make sure that the bundle answers as it was measured; on pictures that were not left out of
    what it learned."""
    if answers.split == LEFT_OUT:
        return
    images = answers.examples.images[:_CHECKED]
    difference = np.abs(classifier.predict_proba(images) - answers.probabilities[: len(images)])
    if difference.max() > 0.02:
        raise ImagetteError(
            "The bundle does not give the answers that were measured before it was written.",
            "If pictures were changed meanwhile, train again. Otherwise delete the folder"
            " `features` in Imagette's cache first.",
        )
