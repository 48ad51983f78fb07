"""Everything the page says, in English and in French."""

from dataclasses import dataclass

from imagette import wording
from imagette.wording import Language

_NARROW = "\u202f"  # the space that French sets inside quotation marks; it does not break


@dataclass(frozen=True)
class Texts:
    """The page's texts in one language; braces are filled in by the page."""

    other_language: str
    introduction: str
    knows: str
    choose: str
    drop_here: str
    browse: str
    try_sample: str
    your_picture: str
    network_sees: str
    network_sees_help: str
    how_probable: str
    about: str
    dataset: str
    test_accuracy: str
    validation_accuracy: str
    network: str
    limits: str
    privacy: str
    api_down: str
    api_down_help: str
    retry: str
    surely: str
    probably: str
    perhaps: str
    unsure: str
    more_than: str
    problems: dict[str, str]
    other_problem: str


ENGLISH = Texts(
    other_language="Français",
    introduction="Show me a picture and I will tell you what I see in it.",
    knows="I know {count} things: {names}.",
    choose="Choose a picture",
    drop_here="Drop a picture here",
    browse="Choose a file",
    try_sample="No picture at hand? Try one of these:",
    your_picture="Your picture",
    network_sees="What the network sees",
    network_sees_help="It shrinks every picture to {width}\u00a0×\u00a0{height} dots.",
    how_probable="How probable it finds each answer",
    about="About this model",
    dataset="It learned from the pictures of {dataset}.",
    test_accuracy="On test pictures that it had never seen, it is right {accuracy} of the time.",
    validation_accuracy=(
        "On pictures set aside while it learned, it is right {accuracy} of the time."
    ),
    network="It is a neural network, {model}, of {parameters} numbers.",
    limits=(
        "It only knows the {count} things named above: shown anything else, it still answers with"
        " one of them. And it can be wrong, even when it is sure."
    ),
    privacy="Your picture is looked at, then forgotten: it is not kept.",
    api_down="I cannot think right now: the part of me that looks at pictures does not answer.",
    api_down_help=(
        "The page is here, but the Imagette API at `{url}` is not. If this is your computer, start"
        " it with `imagette serve` (or start both with `imagette demo`), then try again."
    ),
    retry="Try again",
    surely="It is {first}, I am almost certain ({confidence} sure).",
    probably="I think it is {first} ({confidence} sure).",
    perhaps="It may be {first} ({confidence} sure), or else {second}.",
    unsure="I do not really know. Perhaps {first}, but I am only {confidence} sure.",
    more_than="more than",
    problems={
        "unreadable-picture": (
            "I cannot read this file as a picture. It may be damaged, or not be a picture at all."
            " Try a PNG or JPEG file."
        ),
        "empty-picture": "This file is empty. Choose another one.",
        "no-picture": "This file is empty. Choose another one.",
        "picture-too-large": (
            "This picture has too many pixels for me. Make it smaller, then try again."
        ),
        "request-too-large": "This file is too heavy for me. Make it smaller, then try again.",
    },
    other_problem="Something went wrong while I looked at this picture. Try again in a moment.",
)

FRENCH = Texts(
    other_language="English",
    introduction="Montre-moi une image, je te dirai ce que j’y vois.",
    knows="Je connais {count} choses\u00a0: {names}.",
    choose="Choisis une image",
    drop_here="Dépose une image ici",
    browse="Choisir un fichier",
    try_sample="Pas d’image sous la main\u00a0? Essaie l’une de celles-ci\u00a0:",
    your_picture="Ton image",
    network_sees="Ce que voit le réseau",
    network_sees_help="Il réduit chaque image à {width}\u00a0×\u00a0{height} points.",
    how_probable="À quel point chaque réponse lui paraît probable",
    about="À propos de ce modèle",
    dataset="Il a appris sur les images de {dataset}.",
    test_accuracy=(
        "Sur des images de test qu’il n’avait jamais vues, il a raison {accuracy} du temps."
    ),
    validation_accuracy=(
        "Sur des images mises de côté pendant qu’il apprenait, il a raison {accuracy} du temps."
    ),
    network="C’est un réseau de neurones, {model}, de {parameters} nombres.",
    limits=(
        "Il ne connaît que les {count} choses citées plus haut\u00a0: devant autre chose, il répond"
        " quand même par l’une d’elles. Et il peut se tromper, même quand il est sûr de lui."
    ),
    privacy="Ton image est regardée, puis oubliée\u00a0: elle n’est pas conservée.",
    api_down=(
        "Je ne peux pas réfléchir\u00a0: la partie de moi qui regarde les images ne répond pas."
    ),
    api_down_help=(
        "La page est bien là, mais pas l’API d’Imagette à l’adresse `{url}`. Si c’est ton"
        " ordinateur, démarre-la avec `imagette serve` (ou démarre les deux avec `imagette demo`),"
        " puis réessaie."
    ),
    retry="Réessayer",
    surely="C’est {first}, j’en suis presque certain (sûr à {confidence}).",
    probably="Je pense que c’est {first} (sûr à {confidence}).",
    perhaps="C’est peut-être {first} (sûr à {confidence}), ou bien {second}.",
    unsure="Je ne sais pas vraiment. Peut-être {first}, mais je n’en suis sûr qu’à {confidence}.",
    more_than="plus de",
    problems={
        "unreadable-picture": (
            "Je n’arrive pas à lire ce fichier comme une image. Il est peut-être abîmé, ou ce n’est"
            " pas une image. Essaie avec un fichier PNG ou JPEG."
        ),
        "empty-picture": "Ce fichier est vide. Choisis-en un autre.",
        "no-picture": "Ce fichier est vide. Choisis-en un autre.",
        "picture-too-large": (
            "Cette image a trop de pixels pour moi. Réduis-la, puis essaie de nouveau."
        ),
        "request-too-large": (
            "Ce fichier est trop lourd pour moi. Réduis-le, puis essaie de nouveau."
        ),
    },
    other_problem=(
        "Quelque chose s’est mal passé pendant que je regardais cette image. Réessaie dans un"
        " instant."
    ),
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "fr": FRENCH}

DATASET_TITLES = {"cifar10": "CIFAR-10"}

# Other names are quoted, because their article is not known.
_WITH_ARTICLE = {
    "en": (
        "an airplane, an automobile, a bird, a car, a cat, a deer, a dog, a frog, a horse, a ship,"
        " a truck"
    ),
    "fr": (
        "un avion, une automobile, une voiture, un oiseau, un chat, un cerf, un chien,"
        " une grenouille, un cheval, un bateau, un navire, un camion"
    ),
}


def with_article(name: str, language: Language) -> str:
    """`cat` becomes `a cat`; a name that is not in the list is put in quotation marks."""
    for words in _WITH_ARTICLE[language].split(", "):
        if words.split(" ", 1)[1] == name:
            return words
    return f"“{name}”" if language == "en" else f"«{_NARROW}{name}{_NARROW}»"


def percent(fraction: float, language: Language) -> str:
    """`0.87` becomes `87%` or `87 %`; nothing possible is called 0 or 100 percent."""
    shown = wording.percent(min(max(fraction, 0.01), 0.99), language, digits=0)
    return "> " + shown if fraction > 0.99 else "< " + shown if fraction < 0.01 else shown


def answer(ranking: list[tuple[str, float]], language: Language) -> str:
    """What the network thinks, in a sentence that says how sure it is.

    Args:
        ranking: names of the classes with their probabilities, the most probable first.
        language: in which to say it.
    """
    texts = TEXTS[language]
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
        first=with_article(ranking[0][0], language),
        second=with_article(ranking[1][0], language),
        confidence=percent(confidence, language).replace(">", texts.more_than),
    )
