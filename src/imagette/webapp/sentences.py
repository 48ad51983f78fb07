"""Sentences about the API's answers, made of the page's texts."""

from imagette.webapp.texts import Texts

Ranking = list[tuple[str, float]]
"""Names of the classes with their probabilities, the most probable first."""


def dataset_title(name: str, texts: Texts) -> str:
    """`cifar10` becomes `CIFAR-10`; other names, as of folders, are put in quotation marks."""
    return "CIFAR-10" if name == "cifar10" else texts.quoted.format(name=name)


def limits_sentence(limits: dict[str, int], texts: Texts) -> str:
    """How large a file may be, and how many pixels it may have.

    Args:
        limits: of the API.
        texts: in which language to say it.
    """
    other = limits["max_pixels"]
    sizes = limits["max_upload_bytes"], limits.get("max_jpeg_pixels", other), other
    megabytes, jpeg, others = (
        texts.number(size / 1e6, digits=0 if size >= 1e7 else 1) for size in sizes
    )
    return texts.file_limits.format(megabytes=megabytes, jpeg=jpeg, other=others)


def with_article(name: str, texts: Texts) -> str:
    """`cat` becomes `a cat`; a name whose article is not known is put in quotation marks."""
    for words in texts.with_article:
        if words.split(" ", 1)[1] == name:
            return words
    return texts.quoted.format(name=name)


def parameter_count(count: int, texts: Texts) -> str:
    """`3371008` becomes `3.4 million parameters`; less than a million is written out."""
    if count < 1_000_000:
        return texts.parameters.format(count=texts.number(count))
    millions = round(count / 1e6, 1)
    text = texts.parameters_millions if millions >= 2 else texts.parameters_million
    return text.format(count=texts.number(millions, digits=1))


def confidence_percent(confidence: float, texts: Texts) -> str:
    """`0.87` becomes `87%` or `87 %`; nothing that is possible is called 0 or 100 percent."""
    shown = texts.percent(min(max(confidence, 0.01), 0.99), digits=0)
    return "> " + shown if confidence > 0.99 else "< " + shown if confidence < 0.01 else shown


def answer_sentence(ranking: Ranking, known: bool | None, texts: Texts) -> str:
    """What the network thinks, in a sentence that says how sure it is.

    Args:
        ranking: the classes.
        known: False if the image looks like none of the classes.
        texts: in which language to say it.
    """
    if known is False:
        return texts.none_of_these
    confidence = ranking[0][1]
    if confidence >= 0.9:
        sentence = texts.surely
    elif confidence >= 0.6:
        sentence = texts.probably
    elif confidence >= 0.35:
        sentence = texts.perhaps
    else:
        sentence = texts.unsure
    return sentence.format(
        first=with_article(ranking[0][0], texts),
        second=with_article(ranking[1][0], texts),
        confidence=confidence_percent(confidence, texts).replace(">", texts.more_than),
    )


def closest_sentence(ranking: Ranking, texts: Texts) -> str:
    """Which classes an image of none of them comes closest to."""
    first, second = (with_article(name, texts) for name, _ in ranking[:2])
    return texts.closest.format(first=first, second=second)


def short_answer(ranking: Ranking, known: bool | None, texts: Texts) -> str:
    """The answer in two or three words, for where there is little room."""
    if known is False:
        return texts.none_short
    name, confidence = ranking[0]
    return f"{name} {confidence_percent(confidence, texts)}"
