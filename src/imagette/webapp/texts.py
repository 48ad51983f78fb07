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
    other_language: str
    page_predict: str
    page_model: str
    page_dataset: str
    pages: str
    retry: str
    api_down_help: str
    # Predict: choosing.
    introduction: str
    knows: str
    choose: str
    drop_here: str
    file_limits: str
    preparing: str
    not_sent: str
    browse: str
    camera: str
    camera_close: str
    camera_take: str
    camera_allow: str
    camera_forbidden: str
    camera_refused: str
    photo: str
    try_sample: str
    gallery: str
    example: str
    too_many_images: str
    # Predict: many images.
    many: str
    many_help: str
    looking_at: str
    no_answer: str
    close_answer: str
    # Predict: the answer.
    looking: str
    your_image: str
    what_decided: str
    what_decided_help: str
    opacity: str
    network_sees: str
    network_sees_help: str
    how_probable: str
    how_probable_unknown: str
    other_classes: str
    familiarity: str
    familiarity_known: str
    familiarity_unknown: str
    familiarity_value: str
    surely: str
    probably: str
    perhaps: str
    unsure: str
    none_of_these: str
    closest: str
    none_short: str
    more_than: str
    quoted: str
    # Predict: where the answer was wrong.
    wrong: str
    wrong_help: str
    wrong_what: str
    wrong_choose: str
    wrong_none: str
    wrong_other: str
    wrong_name: str
    wrong_keep: str
    wrong_kept: str
    # Predict: this session.
    history: str
    history_help: str
    download: str
    forget: str
    privacy: str
    privacy_kept: str
    # Model.
    model_title: str
    learned_from: str
    test_accuracy: str
    validation_accuracy: str
    left_out_accuracy: str
    interval: str
    chance: str
    network: str
    parameters: str
    parameters_million: str
    parameters_millions: str
    pretrained: str
    no_evaluation: str
    confusion: str
    confusion_help: str
    confusion_corner: str
    confusion_alt: str
    mistakes: str
    mistake: str
    no_mistakes: str
    reliability: str
    reliability_help: str
    calibration: str
    brier: str
    how_sure: str
    how_right: str
    images: str
    reliability_alt: str
    per_class: str
    per_class_help: str
    class_name: str
    recall: str
    precision: str
    f1: str
    curves: str
    curves_help: str
    curves_alt: str
    epoch: str
    accuracy: str
    loss: str
    learning: str
    set_aside: str
    as_table: str
    limits: str
    limit_classes: str
    limit_unknown: str
    limit_no_unknown: str
    limit_size: str
    limit_wrong: str
    card: str
    card_help: str
    # Dataset.
    dataset_title: str
    dataset_facts: str
    unnamed_facts: str
    counts: str
    split_train: str
    split_validation: str
    split_test: str
    train_help: str
    validation_help: str
    test_help: str
    all_learned: str
    measured_on: str
    counts_alt: str
    examples_train: str
    examples_validation: str
    examples_test: str
    choose_class: str
    total: str
    examples: str
    ask_about: str
    no_dataset: str
    no_dataset_help: str
    unnamed_dataset: str
    # Teach: naming the classes.
    page_teach: str
    teach_title: str
    teach_introduction: str
    teach_name_step: str
    teach_name: str
    teach_examples: str
    teach_lesson_name: str
    teach_add_class: str
    teach_begin: str
    teach_names_missing: str
    teach_same_name: str
    teach_open: str
    teach_open_here: str
    teach_open_help: str
    # Teach: the pictures.
    teach_images_step: str
    teach_images_help: str
    teach_count: str
    teach_camera: str
    teach_record: str
    teach_camera_help: str
    teach_drop_here: str
    teach_sending: str
    teach_sent: str
    teach_refused: str
    teach_picture: str
    teach_enlarge: str
    teach_delete_picture: str
    teach_delete_this: str
    teach_previous: str
    teach_next: str
    teach_close: str
    teach_pictures_help: str
    teach_show_all: str
    teach_send_waiting: str
    teach_drop_waiting: str
    teach_edit_class: str
    teach_class_name: str
    teach_rename: str
    teach_delete_class: str
    teach_new_class: str
    # Teach: undoing.
    teach_undo: str
    teach_undo_picture: str
    teach_undo_class: str
    teach_undo_rename: str
    teach_hide: str
    # Teach: what comes of them.
    teach_no_model: str
    teach_single: str
    teach_right: str
    teach_interval: str
    teach_interval_small: str
    teach_unknown: str
    teach_few: str
    teach_try: str
    teach_try_help: str
    teach_why: str
    teach_keep: str
    teach_save: str
    teach_save_help: str
    teach_download: str
    teach_download_help: str
    teach_address: str
    teach_copy: str
    teach_copied: str
    teach_privacy: str
    teach_another: str
    teach_forget: str
    teach_forget_sure: str
    teach_forget_yes: str
    teach_forgotten: str
    teach_forget_now: str
    teach_anew: str
    # For phones.
    qr_title: str
    qr_alt: str
    qr_same_network: str
    qr_warning: str
    qr_chrome: str
    qr_safari: str
    qr_firefox: str
    qr_empty: str
    qr_other_networks: str
    qr_no_network: str
    qr_only_here: str
    # What went wrong.
    other_problem: str

    def __init__(self, language: Language) -> None:
        self.language = language
        vars(self).update(wording.load_texts(_LOCALES, language))

    def number(self, value: float, digits: int = 0) -> str:
        """As `wording.number` writes it."""
        return wording.number(value, self.language, digits)

    def percent(self, fraction: float, digits: int = 1) -> str:
        """As `wording.percent` writes it."""
        return wording.percent(fraction, self.language, digits)

    def listed(self, names: Sequence[str], most: int = 20) -> str:
        """As `wording.listed` writes them."""
        return wording.listed(names, self.language, most)


TEXTS: dict[Language, Texts] = {language: Texts(language) for language in LANGUAGES}
