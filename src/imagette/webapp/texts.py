"""Which texts the page has; their words are in `locales/`, one file for each language."""

from collections.abc import Sequence
from pathlib import Path

from imagette import wording
from imagette.wording import LANGUAGES, Language

_LOCALES = Path(__file__).with_name("locales")


class Texts:
    """The page's texts in one language; the page fills in what they have in braces.

    All of them are named here, so that mypy finds a text that there is not; their words come from
    the language's file.

    Attributes:
        language: which one.
        quoted: a name of a class whose article is not known.
        with_article: names of classes with their article.
        problems: what went wrong, by the short name of the problem, as the API has it.
    """

    with_article: list[str]
    problems: dict[str, str]
    # Every tab.
    other_language = page_predict = page_model = page_dataset = pages = retry = api_down_help = ""
    # Predict: choosing.
    introduction = knows = choose = drop_here = browse = camera = camera_close = camera_take = ""
    camera_allow = camera_forbidden = camera_refused = photo = try_sample = gallery = ""
    gallery_class = gallery_note = example = too_many_images = ""
    # Predict: the answer.
    looking = your_image = what_decided = what_decided_help = opacity = network_sees = ""
    network_sees_help = how_probable = how_probable_unknown = other_classes = familiarity = ""
    familiarity_known = familiarity_unknown = familiarity_value = surely = probably = perhaps = ""
    unsure = none_of_these = closest = none_short = more_than = quoted = ""
    # Predict: this session.
    history = history_help = download = forget = privacy = ""
    # Model.
    model_title = learned_from = test_accuracy = validation_accuracy = left_out_accuracy = ""
    interval = chance = network = no_evaluation = confusion = confusion_help = confusion_corner = ""
    mistakes = mistake = no_mistakes = reliability = reliability_help = calibration = brier = ""
    how_sure = how_right = images = reliability_alt = per_class = per_class_help = class_name = ""
    recall = precision = f1 = curves = curves_help = curves_alt = epoch = accuracy = loss = ""
    learning = set_aside = as_table = limits = limit_classes = limit_unknown = limit_no_unknown = ""
    limit_size = limit_wrong = ""
    # Dataset.
    dataset_title = dataset_facts = counts = to_learn = to_test = total = examples = ""
    examples_help = ask_about = no_dataset = no_dataset_help = unnamed_dataset = ""
    # Teach: naming the classes.
    page_teach = teach_title = teach_introduction = teach_name_step = teach_name = ""
    teach_examples = teach_add_class = teach_begin = teach_names_missing = teach_rename = ""
    # Teach: the pictures.
    teach_images_step = teach_images_help = teach_count = teach_camera = teach_add_from_camera = ""
    teach_camera_help = teach_drop_here = teach_sending = teach_refused = teach_take_away = ""
    teach_take_away_help = teach_show_all = teach_drop_waiting = ""
    # Teach: what comes of them.
    teach_no_model = teach_single = teach_right = teach_interval = teach_unknown = teach_few = ""
    teach_try = teach_try_help = teach_why = teach_download = teach_download_help = ""
    teach_address = teach_privacy = teach_forget = teach_forget_sure = teach_forget_yes = ""
    teach_anew = ""
    # What went wrong.
    other_problem = ""

    def __init__(self, language: Language) -> None:
        self.language = language
        vars(self).update(wording.load_texts(_LOCALES, language))

    def number(self, value: float, digits: int = 0) -> str:
        """As `wording.number` writes it."""
        return wording.number(value, self.language, digits)

    def percent(self, fraction: float, digits: int = 1) -> str:
        """As `wording.percent` writes it."""
        return wording.percent(fraction, self.language, digits)

    def listed(self, names: Sequence[str]) -> str:
        """As `wording.listed` writes them."""
        return wording.listed(names, self.language)


TEXTS: dict[Language, Texts] = {language: Texts(language) for language in LANGUAGES}
