"""What is done once the epochs are over, step by step, and about how long each step takes."""

from imagette.evaluation.write_evaluation import MEASURE, REPORT
from imagette.training.ood_score import MOST_IMAGES
from imagette.training.recipe import Recipe
from imagette.training.training_data import TrainingData

SAVE = "saving the network"
COMPARE = "comparing it with the fitted last layer alone"
CALIBRATE = "calibrating its probabilities"
EXPORT = "exporting it to ONNX"
FAMILIARITY = "teaching it to tell when a picture is of none of the classes"

# Seconds on two cores. What takes longer there takes longer everywhere, and the first steps tell
# how much (see `imagette.cli.step_progress`).
_SAVE, _EXPORT, _REPORT = 0.5, 5.0, 4.0
_OF_AN_OUTLIER = 5e-4
"""To make one, and to fit the score to it and to a picture learned."""
_ANSWER = 0.4
"""An answer takes this share of what a picture takes that is learned from."""


def estimate_last_steps(
    plan: Recipe, data: TrainingData, seconds_a_picture: float
) -> dict[str, float]:
    """About how many seconds each of the last steps takes, by its name and in order.

    Args:
        plan: the recipe, resolved.
        data: the images.
        seconds_a_picture: what a picture takes that is learned from.
    """
    answer = _ANSWER * seconds_a_picture * (plan.final_image_size / plan.image_size) ** 2
    held_out = len(data.validation)
    measured = held_out if data.dataset.test is None else len(data.dataset.test)
    looked_at = 0 if data.view else min(len(data.train), MOST_IMAGES)
    compare = {COMPARE: 2 * answer * held_out} if plan.init_from else {}
    return {
        SAVE: _SAVE,
        **compare,
        CALIBRATE: answer * held_out,
        EXPORT: _EXPORT,
        FAMILIARITY: answer * (2 * looked_at + held_out) + _OF_AN_OUTLIER * looked_at,
        MEASURE: answer * measured,
        REPORT: _REPORT,
    }
