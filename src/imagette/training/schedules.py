"""Learning-rate schedules: the factor of the learning rate over the course of a training."""

import math
from collections.abc import Callable

from imagette.training.recipe_tables import ScheduleConfig

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda left: 1.0,
    "linear": lambda left: left,
    "cosine": lambda left: (1 - math.cos(math.pi * left)) / 2,
}
"""By name: the factor, where a share `left` (1 to 0) of the training after the warm-up is left."""


def rate_factor(schedule: ScheduleConfig, done: float) -> float:
    """The factor of the learning rate after a share `done` (0 to 1) of the training."""
    if done < schedule.warmup:
        return done / schedule.warmup
    return SCHEDULES[schedule.name]((1 - done) / (1 - schedule.warmup))
