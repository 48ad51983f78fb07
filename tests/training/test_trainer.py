"""The loop: one seed, one result, whatever the recipe asks for and however often it is stopped."""

import dataclasses
import io
from itertools import islice
from unittest import mock

import numpy as np
import pytest
import torch

from imagette import ImagetteError, Recipe, build_model
from imagette.data import Split, split_validation
from imagette.models.backend import load_torch_keras
from imagette.training import outputs, trainer, weights
from imagette.training.state import State
from imagette.training.trainer import train_epochs

BASE = Recipe.load("sprint-80").change(
    model_options={"widths": [8, 16]}, batch_size=200, epochs=3, min_steps=0, precision="float32"
)
EVERYTHING = BASE.change(
    progressive_share=0.5, schedule={"warmup": 0.1}, augment={
        "random_shift": 2, "trivial_augment": True, "cutout": 8, "cutmix_prob": 0.5,
        "no_aug_share": 0.2,
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def few(digits):
    """So few of them that two trainings are soon compared."""
    return dataclasses.replace(digits, train=digits.train.take(np.arange(600)))


def learn(digits, recipe, state=None, most=None, **callbacks) -> list[State]:
    """The states after (at `most` so many) epochs on the digits, with weights from the seed."""
    load_torch_keras().utils.set_random_seed(recipe.seed)
    model = build_model(recipe.model, **recipe.model_options)
    train, validation = split_validation(digits.train, recipe.validation_fraction, recipe.seed)
    reached = train_epochs(model, train, validation, recipe, state or State(), **callbacks)
    return list(islice(reached, most))


def count_pictures(states: list[State]) -> list[float]:
    """How many were learned in each epoch."""
    return [row["pictures_per_second"] * row["seconds"] for row in states[-1].history]


def through_a_file(state: State) -> State:
    """As a checkpoint keeps it."""
    file = io.BytesIO()
    torch.save(vars(state), file)
    file.seek(0)
    return State(**torch.load(file, weights_only=True))


def assert_equal(one: State, other: State) -> None:
    for name in ("weights", "best_weights"):
        pairs = zip(getattr(one, name), getattr(other, name), strict=True)
        assert all(torch.equal(first, second) for first, second in pairs), name


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        BASE,
        EVERYTHING,
        BASE.change(
            precision="bfloat16", augment={"flip": "random"}, model_options={"widths": [8]}
        ),
        BASE.change(
            optimizer={"name": "adamw", "learning_rate": 0.01}, schedule={"name": "cosine"}
        ),
        BASE.change(optimizer={"name": "sgd", "learning_rate": 0.01, "weight_decay": 0.001}),
        Recipe.load("classic").change(epochs=3),
    ],
    ids=["sprint", "everything", "bfloat16", "adamw", "sgd", "classic"],
)
def test_what_was_stopped_goes_on_as_if_it_had_not_been(few, recipe):
    whole = learn(few, recipe)
    assert len(whole) == 3
    stopped = through_a_file(learn(few, recipe, most=1)[-1])
    torch.manual_seed(12345)  # nothing may hang on what was drawn before
    resumed = learn(few, recipe, stopped)
    assert [state.epoch for state in resumed] == [2, 3]
    assert_equal(whole[-1], resumed[-1])


def test_another_seed_gives_another_network(few):
    one, other = (learn(few, BASE.change(seed=seed), most=1)[-1] for seed in (0, 1))
    assert not torch.equal(one.weights[-1], other.weights[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "accuracy"),
    [(BASE.change(epochs=8), 0.9), (EVERYTHING.change(epochs=13), 0.75)],
    ids=["sprint", "everything"],
)
def test_it_learns(digits, recipe, accuracy):
    assert learn(digits, recipe)[-1].history[-1]["val_accuracy"] > accuracy


@pytest.mark.slow
def test_it_learns_in_bfloat16(few):
    """Ten times as slowly where no hardware multiplies it, so for a little while only."""
    short = BASE.change(epochs=2, batch_size=30, progressive_share=0.0)
    exact, rounded = (
        learn(few, short.change(precision=precision))[-1].history[-1]["val_accuracy"]
        for precision in ("float32", "bfloat16")
    )
    assert rounded > 0.4  # of ten classes
    assert rounded == pytest.approx(exact, abs=0.2)


def test_the_end_is_not_augmented(digits, monkeypatch):
    at_the_end, augment = [], trainer.augment_batch

    def watched(*given, **how):
        at_the_end.append(how["at_the_end"])
        return augment(*given, **how)

    monkeypatch.setattr(trainer, "augment_batch", watched)
    monkeypatch.setattr(trainer.Trainer, "warm_up", lambda _: None)
    augmented = {"no_aug_share": 0.25, "cutmix_prob": 1.0}
    learn(digits, BASE.change(epochs=2, augment=augmented, progressive_share=0.0))
    assert at_the_end == [False] * 11 + [True] * 3  # of 14 steps, those before 10.5


@pytest.fixture(scope="module")
def teacher(digits):
    """A network that knows the digits."""
    model = build_model("sprint", widths=[16, 32])
    recipe = BASE.change(model_options={"widths": [16, 32]}, epochs=4, batch_size=50)
    last = learn(digits, recipe)[-1]
    weights.set_weights(model, last.best_weights)
    return model


@pytest.mark.slow
def test_a_student_learns_from_a_teacher_alone(digits, teacher):
    wrong = Split(digits.train.images, np.roll(digits.train.labels, 1))
    data = dataclasses.replace(digits, train=wrong)
    recipe = BASE.change(epochs=4, batch_size=50, distillation={"teacher": "x", "alpha": 1.0})
    taught = learn(data, recipe, teacher=teacher)[-1].best_weights
    alone = learn(data, recipe.change(epochs=1))[-1].best_weights
    model = build_model("sprint", **BASE.model_options)
    right = []
    for learned in (taught, alone):
        weights.set_weights(model, learned)
        answers = outputs.compute_logits(model, digits.test.images).argmax(1)
        right.append((answers == digits.test.labels).mean())
    assert right[0] > 0.85
    assert right[1] < 0.5  # the labels are nonsense


@pytest.mark.slow
def test_what_a_teacher_taught_goes_on_as_if_it_had_not_been_stopped(few, teacher):
    recipe = EVERYTHING.change(distillation={"teacher": "x"})
    whole = learn(few, recipe, teacher=teacher)[-1]
    stopped = through_a_file(learn(few, recipe, most=1, teacher=teacher)[-1])
    assert_equal(whole, learn(few, recipe, stopped, teacher=teacher)[-1])
    assert not torch.equal(whole.weights[-1], learn(few, recipe)[-1].weights[-1])


def test_epochs_may_end_in_a_part(digits):
    whole, part = count_pictures(learn(digits, BASE.change(epochs=1.5, progressive_share=0.0)))
    # 1,293 pictures make 7 batches, and half of an epoch makes 3 or 4.
    assert whole == pytest.approx(1293)
    assert part / whole == pytest.approx(0.5, abs=0.1)
    # At least one step, of three batches.
    assert len(learn(digits, BASE.change(batch_size=500, epochs=1.1))) == 2


def test_without_patience_the_last_epoch_is_kept(few, monkeypatch):
    losses = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(trainer, "measure", lambda *_: (next(losses), 0.5))
    assert learn(few, BASE)[-1].best_epoch == 3


def test_warming_up_leaves_no_trace_but_an_estimate(digits, monkeypatch):
    estimates, heard = [], []
    monkeypatch.setattr(trainer.Meter, "REPORT_SECONDS", 0.0)
    warmed_up = learn(digits, BASE, most=1, on_eta=estimates.append, on_progress=heard.append)[-1]
    assert 0 < estimates[0] < 600
    assert heard[-1].images == 1293
    assert warmed_up.history[0]["preparation_seconds"] > 0
    monkeypatch.setattr(trainer.Trainer, "warm_up", lambda _: None)
    assert_equal(warmed_up, learn(digits, BASE, most=1)[-1])


def test_the_estimate_is_of_what_is_left(digits, monkeypatch):
    def warm_up(training):
        training.full_step_seconds, training.small_step_seconds = 2.0, 1.0

    monkeypatch.setattr(trainer.Trainer, "warm_up", warm_up)
    recipe, estimates = BASE.change(progressive_share=0.25, epochs=4), []
    first = learn(digits, recipe, most=1, on_eta=estimates.append)[-1]
    learn(digits, recipe, first, most=1, on_eta=estimates.append)
    # 28 steps, the first 7 of them on small pictures.
    assert estimates == [7 * 1.0 + 21 * 2.0, 21 * 2.0]


def test_few_pictures_are_passed_over_more_often(digits):
    recipe = BASE.change(epochs=2, progressive_share=0.0).change(min_steps=28).resolve("cpu", 1293)
    assert count_pictures(learn(digits, recipe)) == pytest.approx([2 * 1293] * 2)


def test_a_state_is_not_changed_by_going_on_from_it(few):
    first = learn(few, EVERYTHING, most=1)[-1]
    before = through_a_file(first)
    learn(few, EVERYTHING, first)
    assert_equal(first, before)
    kept, found = (state.optimizers[0]["state"] for state in (before, first))
    assert all(torch.equal(kept[key]["momentum"], found[key]["momentum"]) for key in kept)


def test_one_picture_at_a_time_is_too_few_for_normalisation(digits):
    with pytest.raises(ImagetteError, match="1 picture at a time"):
        learn(digits, BASE.change(batch_size=1, model_options={"widths": [4] * 5}))


def compiled(monkeypatch, compile_network) -> None:
    """Take the path of a GPU, with another compiler."""
    monkeypatch.setattr(trainer, "_compiles", lambda device: True)
    monkeypatch.setattr(torch, "compile", compile_network)


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(few, monkeypatch):
    plain = learn(few, BASE, most=1)[-1]
    capture, calls = torch.compile, []

    def compile_network(network, **options):
        calls.append(options)
        # The graphs of forward and backward pass, run without a compiler for either.
        return capture(network, backend="aot_eager", fullgraph=True, **options)

    compiled(monkeypatch, compile_network)
    for _ in range(2):  # a second training in the same process
        same = learn(few, BASE, most=1)[-1]
        for one, other in zip(plain.weights, same.weights, strict=True):
            assert torch.allclose(one, other, atol=1e-3)
    assert calls == [{"dynamic": False}] * 2


def test_without_a_compiler_the_network_runs_as_it_is(few, monkeypatch):
    plain = learn(few, BASE, most=1)[-1]
    broken = mock.Mock(side_effect=RuntimeError("no compiler"))
    compiled(monkeypatch, lambda network, **_: broken)
    assert_equal(plain, learn(few, BASE, most=1)[-1])
    assert broken.called


def test_what_is_finished_is_not_begun_again(few, monkeypatch):
    recipe = BASE.change(epochs=0.4)
    finished = learn(few, recipe)[-1]
    monkeypatch.setattr(trainer, "Trainer", None)
    assert learn(few, recipe, finished) == []


def test_the_time_left_shrinks(few, monkeypatch):
    monkeypatch.setattr(trainer.Meter, "REPORT_SECONDS", 0.0)
    heard = []
    learn(few, BASE.change(progressive_share=0.0, epochs=1.5), on_progress=heard.append)
    assert heard[0].seconds_left > 0
    assert heard[-1].seconds_left == 0


def test_a_network_that_needs_one_size_is_named(digits):
    recipe = Recipe.load("classic").change(progressive_size=24, progressive_share=0.5)
    with pytest.raises(ImagetteError, match="cannot learn from pictures of 24 pixels"):
        learn(digits, recipe)


def test_whitening_stays_as_it_was_fitted(few):
    states = learn(few, BASE)
    model = build_model("sprint", **BASE.model_options)
    [position] = [n for n, one in enumerate(model.weights) if "whitening" in one.path]
    kernels = [state.weights[position] for state in states]
    assert all(torch.equal(kernels[0], kernel) for kernel in kernels)
    assert float(kernels[0].abs().sum()) > 0


def test_pictures_in_a_file_teach_the_same(few, tmp_path):
    mapped = np.memmap(tmp_path / "pictures", np.uint8, "w+", shape=few.train.images.shape)
    mapped[:] = few.train.images
    recipe = EVERYTHING.change(epochs=1)
    data = dataclasses.replace(few, train=Split(mapped, few.train.labels))
    assert_equal(learn(few, recipe)[-1], learn(data, recipe)[-1])
