"""A step and two epochs, by one process or shared by several.

Processes that are spawned import this by its name, which they cannot do with a module of tests.
"""

from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from imagette import Recipe, build_model
from imagette.data import Split
from imagette.models.backend import load_torch_keras
from imagette.training.state import State
from imagette.training.trainer import Trainer, train_epochs
from imagette.training.weights import get_weights

BATCH = 51
"""In two uneven parts, of 25 and 26."""
SPRINT = Recipe.load("sprint-80").change(
    model_options={"widths": [8, 16]}, batch_size=BATCH, epochs=2, min_steps=0,
    precision="float32", progressive_share=0.5, augment={
        "random_shift": 2, "trivial_augment": True, "cutout": 8, "cutmix_prob": 1.0,
    },
)  # fmt: skip
CLASSIC = Recipe.load("classic").change(
    batch_size=BATCH, epochs=2, precision="float32",
    optimizer={"name": "sgd", "learning_rate": 0.01},
)  # fmt: skip


def learn(rank: int, processes: int, folder: Path) -> None:
    """Make a step and, from the start again, two epochs; the first process keeps the results."""
    if processes > 1:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", f"file://{folder}/group", rank=rank, world_size=processes)
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 2 * BATCH - 1)
    brighter = 12 * labels[:, None, None, None]
    noise = random.integers(0, 120, (len(labels), 32, 32, 3))
    split = Split((noise + brighter).astype(np.uint8), labels)
    for recipe in (SPRINT, CLASSIC):
        load_torch_keras().utils.set_random_seed(0)
        models = [build_model(recipe.model, **recipe.model_options) for _ in range(3)]
        stepped, trained, teacher = models
        trainer = Trainer(stepped, split, recipe, teacher)
        torch.manual_seed(0)
        _, loss = trainer.train_step(0, torch.arange(BATCH))
        *_, last = train_epochs(trained, split, split, recipe, State(), teacher=teacher)
        found = {
            "loss": float(loss),
            "gradients": [one.value.grad for one in stepped.trainable_weights],
            "weights": get_weights(stepped),
            "losses": [row[name] for row in last.history for name in ("loss", "val_loss")],
        }
        if rank == 0:
            torch.save(found, folder / f"{recipe.name}-{processes}.pt")
    if processes > 1:
        dist.destroy_process_group()
