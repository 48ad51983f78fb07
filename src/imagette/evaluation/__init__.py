"""How good a model is: from a run or a bundle to metrics, plots and a report."""

from imagette.evaluation.evaluate import Evaluation, evaluate, evaluation_for_bundle

__all__ = ["Evaluation", "evaluate", "evaluation_for_bundle"]
