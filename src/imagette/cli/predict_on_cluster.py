"""`imagette predict --ray`: one file of answers about millions of pictures."""

import shlex
import sys
from collections import Counter
from typing import TYPE_CHECKING

from imagette.cli.console import duration, err, say, stoppable
from imagette.cli.predict_options import EVERY, Asked
from imagette.errors import ImagetteError
from imagette.interrupts import ctrl_c_ends_at_once
from imagette.translate import system_language
from imagette.wording import listed

if TYPE_CHECKING:
    from imagette.cli.predict_progress import PredictProgress
    from imagette.cluster.join_answers import Counts
    from imagette.cluster.picture_sources import PictureSources
    from imagette.cluster.predict import ClusterPrediction
    from imagette.inference.classifier import Classifier


def refuse_other_options(asked: Asked) -> None:
    """Say which options go only without a cluster."""
    others = {
        "--json": asked.json, "--csv": asked.csv, "--top": asked.top,
        "--sort-into": asked.sort_into, "--explain": asked.explain, "--camera": asked.camera,
        "--every": asked.every != EVERY, "--allow-private": asked.allow_private,
    }  # fmt: skip
    if chosen := [option for option, value in others.items() if value]:
        raise ImagetteError(
            f"On a Ray cluster there is no {listed(chosen, 'en', 8)}.",
            "Leave that out, or leave out --ray.",
        )
    if asked.out is None:
        raise ImagetteError(
            "On a Ray cluster the answers go to a file.",
            "Name one that ends in .parquet, .csv or .jsonl: --out answers.parquet",
        )
    if "-" in asked.pictures:
        raise ImagetteError(
            "A Ray cluster does not read stdin.", "Write the picture to a file, and name that."
        )


def predict_on_cluster(asked: Asked, address: str | None) -> int:
    """Answer, or go on with it; how many pictures could not be read."""
    with ctrl_c_ends_at_once():
        from imagette.cluster.connection import cluster
        from imagette.cluster.predict import ClusterPrediction
        from imagette.inference.classifier import Classifier

    assert asked.out is not None
    classifier = Classifier(asked.model)
    prediction = ClusterPrediction(classifier, asked.pictures, asked.out)
    prediction.sweep()
    if (unreadable := prediction.finished()) is not None:
        say(f"All pictures are already answered in {asked.out}.")
        if unreadable:
            say(f"{unreadable:,} of them cannot be read.")
        return unreadable
    with stoppable(), cluster(address) as cores:
        prediction.start_workers(cores)
        with prediction.opened() as sources:
            _say_left_out(sources)
            counts = _answer(prediction, asked)
    _say_counts(counts, classifier)
    return counts.unreadable


def _say_left_out(sources: "PictureSources") -> None:
    if sources.left_out:
        number = "1 file was" if sources.left_out == 1 else f"{sources.left_out:,} files were"
        first = "" if sources.left_out == 1 else ", the first"
        say(f"{number} left out{first}: {sources.first_left_out}")


def _answer(prediction: "ClusterPrediction", asked: Asked) -> "Counts":
    from imagette.cli.predict_progress import PredictProgress

    if before := prediction.answered_before():
        done = "1 picture is" if before == 1 else f"{before:,} pictures are"
        say(f"{done} already answered; going on with the others.")
    # So that the speed is that of the work.
    prediction.wait_for_a_worker(
        lambda: say("Waiting for a free core of the Ray cluster; Ctrl-C stops.")
    )
    shown = PredictProgress(prediction.total - before, prints=False)
    with shown, stoppable(lambda: _say_stopped(shown)):
        for number in prediction.answers():
            shown.advance(number)
        shown.stop()
        counts = prediction.finish()
    speed = f" ({shown.done / shown.seconds:,.0f}/s)" if shown.done > 1 else ""
    pictures = "1 picture" if shown.done == 1 else f"{shown.done:,} pictures"
    say(f"{pictures} answered in {duration(shown.seconds)}{speed}: {asked.out}")
    return counts


def _say_stopped(shown: "PredictProgress") -> None:
    shown.stop()
    again = shlex.join(["imagette", *sys.argv[1:]])
    say(f"Stopped after {shown.count}; their answers are kept. Go on with: {again}")


def _say_counts(counts: "Counts", classifier: "Classifier") -> None:
    from imagette.cli.predict_words import NONE_OF_THESE, UNREADABLE, counted

    told = counts.labels + Counter({NONE_OF_THESE: counts.unknown, UNREADABLE: counts.unreadable})
    french = system_language() == "fr"
    names = classifier.class_names_fr if french else classifier.class_names
    by_name = dict(zip(classifier.class_names, names, strict=True))
    err.print("\n".join(counted(told, by_name)), markup=False, soft_wrap=True)
