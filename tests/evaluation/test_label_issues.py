"""Planted label errors and near duplicates are found, and said of the right pictures."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from support.html_pages import Page

from imagette.data import Split, split_validation
from imagette.evaluation.label_issues import find_label_issues
from imagette.evaluation.label_issues_page import write_label_issues
from imagette.inference.bundle import open_bundle
from imagette.inference.classifier import Classifier


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_planted_label_errors_are_found(digits, digits_run, tmp_path):
    answers = Classifier(digits_run.folder).predict_proba(digits.test.images)
    right = answers.argmax(axis=1) == digits.test.labels
    planted = np.flatnonzero(right & (answers.max(axis=1) > 0.9))[[3, 40, 90]]
    labels = digits.test.labels.copy()
    labels[planted] = (labels[planted] + 1) % 10

    found = find_label_issues(
        digits_run.folder, replace(digits, test=Split(digits.test.images, labels))
    )
    write_label_issues(found, tmp_path)

    issues = {subset.split: some for subset, some in found.label_issues}
    assert list(issues) == ["test", "held-out", "train"]
    positions = [issue.position for issue in issues["test"]]
    assert set(planted) <= set(positions)
    assert len(positions) < 60  # not everything is doubted
    scores = [issue.score for issue in issues["test"]]
    assert scores == sorted(scores)
    one = next(issue for issue in issues["test"] if issue.position == planted[0])
    assert (one.suggested + 1) % 10 == one.label
    assert one.confidence == pytest.approx(answers[planted[0]].max())
    table = [row for row in rows(tmp_path / "audit.csv") if row["split"] == "test"]
    assert [int(row["index"]) for row in table] == positions
    row = next(row for row in table if int(row["index"]) == planted[0])
    assert row["label"] == digits.class_names[one.label]
    assert row["suggested_label"] == digits.class_names[one.suggested]


def test_one_set_of_pictures_is_compared_with_nothing(colours, tell_colours, tmp_path):
    found = find_label_issues(tell_colours(), colours)
    page = write_label_issues(found, tmp_path / "out")
    assert [subset.split for subset, _ in found.label_issues] == ["train"]
    assert found.compared is None
    assert rows(tmp_path / "out" / "duplicates.csv") == []
    assert "only one set of pictures" in Page(page).text


def test_held_out_pictures_are_told_from_learned_ones(colours, make_run, tmp_path):
    test = split_validation(colours.train, 0.2, seed=1)[1]
    _, held_out = split_validation(colours.train, 0.25, seed=7)

    found = find_label_issues(make_run(tmp_path / "mine", colours), replace(colours, test=test))

    splits = {subset.split: subset for subset, _ in found.label_issues}
    assert list(splits) == ["test", "held-out", "train"]
    assert (splits["held-out"].examples.images == held_out.images).all()
    assert sorted([*splits["held-out"].positions, *splits["train"].positions]) == list(range(240))
    for name in ("held-out", "train"):
        where = splits[name].positions
        assert (splits[name].examples.labels == colours.train.labels[where]).all()
    assert len(found.compared[1].examples) == 240
    text = Page(write_label_issues(found, tmp_path / "out")).text
    assert "The model may have learned these very labels" in text
    assert "Le modèle a pu apprendre ces étiquettes mêmes" in text


def test_another_dataset_or_a_changed_one_has_no_held_out_split(colours, make_run, tmp_path):
    run = make_run(tmp_path / "mine", colours, train_fingerprint=colours.train.fingerprint())
    changed = replace(colours, train=colours.train.take(np.arange(239)))
    for data in (changed, replace(colours, source="/others")):
        found = find_label_issues(run, data)
        assert [subset.split for subset, _ in found.label_issues] == ["train"]


def test_copies_across_the_splits_are_paired(digits, digits_run, tmp_path):
    images = digits.test.images[:40].copy()
    images[7] = np.roll(digits.train.images[100], 1, axis=1)
    images[20] = digits.train.images[300] // 2 + 40
    test = Split(images, digits.test.labels[:40])

    found = find_label_issues(digits_run.folder, replace(digits, test=test))

    page = Page(write_label_issues(found, tmp_path))
    pairs = {int(row["index"]): row for row in rows(tmp_path / "duplicates.csv")}
    assert pairs[20]["other_index"] == "300"
    assert pairs[7].items() >= {
        ("split", "test"), ("other_split", "train"), ("other_index", "100"),
        ("other_label", digits.class_names[digits.train.labels[100]]),
    }  # fmt: skip
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.images)
    assert all(image["alt"] and image["data-fr"] for image in page.images)


def test_hostile_names_are_escaped_and_files_named(colours, make_bundle, tmp_path):
    names = ('<script>alert("1")</script>', "$a_b$ & 名前", "l" * 200)
    paths = tuple(f"a/<i>{number}.png" for number in range(240))
    split = Split(colours.train.images, colours.train.labels, paths)
    data = replace(colours, class_names=names, class_names_fr=names, train=split, test=split)
    bundle = make_bundle(tmp_path / "tiny.onnx", names, names, 6)

    page = Page(write_label_issues(find_label_issues(bundle, data), tmp_path / "out"))

    assert page.tags.count("script") == 1
    assert "i" not in page.tags
    assert set(page.titles) <= set(paths)
    assert page.titles
    assert rows(tmp_path / "out" / "duplicates.csv")[0]["path"] in paths


def test_a_model_with_more_classes_than_the_dataset(colours, make_bundle, tmp_path):
    names = ("blue", "pink", "red", "green")
    found = find_label_issues(make_bundle(tmp_path / "t.onnx", names, names, 6), colours)
    [(subset, _)] = found.label_issues
    assert {names[label] for label in subset.examples.labels} == {"red", "green", "blue"}


def test_a_bundle_carries_its_evaluation(digits_run):
    told = open_bundle(digits_run.folder / "model.onnx").metadata.evaluation
    measured = json.loads((digits_run.folder / "metrics.json").read_bytes())
    assert told["confusion"] == measured["confusion"]
    assert told["brier"] == pytest.approx(measured["brier"], rel=1e-5)
    assert len(told["history"]) == 5
