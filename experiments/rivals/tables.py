"""What was measured, as the README.md of the results."""

import csv
import os
import platform
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median, stdev

from imagette.files import write_csv
from imagette.training.environment import environment

IMAGETTE = "imagette"
TEXTS = {"set", "way", "bundle", "pictures"}


def summarise(results: list[dict]) -> list[dict]:
    """A row for each way and set: means over the repeats, and how they spread."""
    groups = defaultdict(list)
    for row in results:
        groups[row["set"], row["way"]].append(row)
    return [
        {
            "set": name,
            "way": way,
            "repeats": len(rows),
            "accuracy": mean(row["accuracy"] for row in rows),
            "accuracy_sd": stdev(r["accuracy"] for r in rows) if len(rows) > 1 else 0.0,
            "seconds": median(row["seconds"] for row in rows),
            "seconds_least": min(row["seconds"] for row in rows),
            "seconds_most": max(row["seconds"] for row in rows),
            "megabytes": max(row["megabytes"] for row in rows),
        }
        for (name, way), rows in groups.items()
    ]


def readme(folder: Path) -> str:
    """What lies in the folder of the results, as tables; writes `summary.csv` there."""
    summary = summarise(_read(folder / "results.csv"))
    unknown, scale = _read(folder / "unknown.csv"), _read(folder / "scale.csv")
    found = environment()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [
        "# Photographs of one's own, beside what people use instead",
        "    python experiments/own_photographs.py FOLDER",
        f"{found['machine']['processor']}, {os.cpu_count()} cores, {memory:.0f} GB,"
        f" {platform.system()}; Python {platform.python_version()}, "
        + ", ".join(f"{p} {version(p)}" for p in ("onnxruntime", "torch", "scikit-learn", "pillow"))
        + ". What each way does is said at the head of that file.",
    ]
    if summary:
        write_csv(folder / "summary.csv", summary)
        parts += [_of_ways(summary), _of_ratios(summary)]
    if unknown:
        parts.append(_of_unknown(unknown))
    if scale:
        parts.append(_of_scale(scale))
    return "\n\n".join(parts) + "\n"


def _read(path: Path) -> list[dict]:
    """Rows of a CSV file, its numbers as such."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return [
            {key: _value(key, text) for key, text in row.items()} for row in csv.DictReader(file)
        ]


def _value(key: str, text: str) -> str | float:
    return text if key in TEXTS or not text else float(text)


def _of_ways(summary: list[dict]) -> str:
    sets, ways, cells = _grid(summary)
    lines = [
        f"Accuracy on the test split (mean of {summary[0]['repeats']} repeats ± standard deviation,"
        " where they differ), and wall seconds from the start of the process to its end (median;"
        " least to most):",
        "",
        _line(["way", *sets, "mean accuracy; seconds in all"]),
        _rule(len(sets) + 2),
    ]
    for way in ways:
        rows = [cells[name, way] for name in sets]
        total = f"{mean(r['accuracy'] for r in rows):.1%}; {sum(r['seconds'] for r in rows):.0f} s"
        lines.append(_line([way, *map(_cell, rows), total]))
    return "\n".join(lines)


def _cell(row: dict) -> str:
    spread = f" ± {row['accuracy_sd'] * 100:.1f}" if row["accuracy_sd"] else ""
    times = f"{row['seconds']:.1f} s ({row['seconds_least']:.1f} to {row['seconds_most']:.1f})"
    return f"{row['accuracy']:.1%}{spread}; {times}"


def _of_ratios(summary: list[dict]) -> str:
    """How many times as long a way takes, and whether it is as accurate then."""
    sets, ways, cells = _grid(summary)
    lines = [
        "Seconds as a multiple of Imagette's; in brackets where the accuracy is below Imagette's,"
        " so that equal accuracy would take longer still, or is out of reach:",
        "",
        _line(["way", *sets]),
        _rule(len(sets) + 1),
    ]
    for way in ways:
        if way == IMAGETTE:
            continue
        texts = []
        for name in sets:
            mine, row = cells[name, IMAGETTE], cells[name, way]
            points = (row["accuracy"] - mine["accuracy"]) * 100
            text = f"{row['seconds'] / mine['seconds']:.2f}, {points:+.1f} points"
            texts.append(text if points >= 0 else f"({text})")
        lines.append(_line([way, *texts]))
    return "\n".join(lines)


def _of_unknown(unknown: list[dict]) -> str:
    lines = [
        "Answers of `imagette predict`: AUROC of familiarity, own test pictures above those of the"
        " other sets (mean over those), own test pictures called unknown (5 % are promised), and"
        " others' so called:",
        "",
        _line(["bundle", "AUROC", "own called unknown", "others called unknown", "accuracy"]),
        _rule(5),
    ]
    for own in (row for row in unknown if row["bundle"] == row["pictures"]):
        others = [r for r in unknown if r["bundle"] == own["bundle"] and r is not own]
        area = f"{mean(row['auroc'] for row in others):.3f}" if others else ""
        rejected = f"{mean(row['unknown'] for row in others):.1%}" if others else ""
        lines.append(
            _line(
                [own["bundle"], area, f"{own['unknown']:.1%}", rejected, f"{own['accuracy']:.1%}"]
            )
        )
    return "\n".join(lines)


def _of_scale(scale: list[dict]) -> str:
    lines = [
        "The command on photographs of 500×375 that were made of the first set's, none to test"
        " with:",
        "",
        _line(["photographs", "KB each", "seconds", "photographs a second", "most memory, MB"]),
        _rule(5),
    ]
    for row in scale:
        speed = row["photographs"] / row["seconds"]
        lines.append(
            _line([
                f"{row['photographs']:,.0f}", f"{row['kilobytes_each']:.0f}",
                f"{row['seconds']:.1f}", f"{speed:.0f}", f"{row['megabytes']:.0f}",
            ])
        )  # fmt: skip
    return "\n".join(lines)


def _grid(summary: list[dict]) -> tuple[list[str], list[str], dict[tuple[str, str], dict]]:
    sets = list(dict.fromkeys(row["set"] for row in summary))
    ways = list(dict.fromkeys(row["way"] for row in summary))
    return sets, ways, {(row["set"], row["way"]): row for row in summary}


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns
