"""The page to teach the API something: name classes, show pictures of each, let it learn, try it.

What is taught lives in the API, under an id that stands in the page's address; the page keeps only
what is on its way there, and small pictures.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp import charts, look, pieces
from imagette.webapp.client import Api, ApiDown, LessonApi, Refused
from imagette.webapp.texts import TEXTS
from imagette.webapp.visit import API_DOWN, Visit, current_visit
from imagette.wording import Language, number, percent

_MOST_SHOWN = 24  # pictures of a class; each is a button
_SECONDS_BETWEEN_LOOKS = 1.0
_PREPARING_SHARE = 0.2  # of the bar, while nobody knows how long it will take
_PREPARING_SECONDS = 40

_File = tuple[str, bytes]


@dataclass
class Desk:
    """What one person does on this page.

    Attributes:
        lesson_id: of the lesson; None before there is one.
        names: of the classes, as they are being written.
        turn: counts up whenever files were taken from a widget, whose key it is part of.
        camera: the class that the camera is open for.
        waiting: files that are to be sent, by class.
        refused: of the files sent last, the kinds of the problems, by class.
        thumbnails: of the lesson's pictures by name, as data URLs.
        problem: kind of the last problem.
        visit: pictures that the lesson's model was tried on.
    """

    lesson_id: str | None = None
    names: list[str] = field(default_factory=lambda: ["", ""])
    turn: int = 0
    camera: str | None = None
    waiting: dict[str, list[_File]] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)
    thumbnails: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    visit: Visit = field(default_factory=Visit)


def show(api: Api, language: Language) -> None:
    model = current_visit().model
    if model is None or model.get("teaching") is None:
        return
    texts, desk = TEXTS[language], _desk()
    st.html(pieces.text("h2", "section", texts.teach_title))
    if desk.lesson_id is None:
        st.markdown(texts.teach_introduction)
        _show_problem(desk, language)
        _ask_names(desk, api, model["teaching"], language)
        return
    lesson_api = api.of_lesson(desk.lesson_id)
    try:
        _send_waiting(desk, lesson_api, model["limits"], language)
        lesson = lesson_api.status()
    except ApiDown:
        look.tell_problem(API_DOWN, language)
        if desk.waiting:
            st.button(texts.teach_drop_waiting, key="teach-drop", on_click=desk.waiting.clear)
    except Refused as refusal:
        # An address may name anything, not all of which can be an id.
        kind = "no-lesson" if refusal.kind == "not-found" else refusal.kind
        look.tell_problem(kind, language)
        if kind == "no-lesson":
            st.button(texts.teach_anew, key="teach-anew", type="primary", on_click=_begin_anew)
    else:
        _show_lesson(desk, lesson, lesson_api, model["teaching"], language)


def _desk() -> Desk:
    """What this person does; an address that names a lesson leads to that."""
    desk = st.session_state.setdefault("desk", Desk())
    asked = st.query_params.get("lesson")
    if asked and asked != desk.lesson_id:
        desk = st.session_state.desk = Desk(lesson_id=asked)
    elif desk.lesson_id and not asked:  # back from another page
        st.query_params["lesson"] = desk.lesson_id
    return desk


def _begin_anew(names: list[str] | None = None) -> None:
    st.query_params.pop("lesson", None)
    st.session_state.desk = Desk(names=names or ["", ""])
    for key in [key for key in st.session_state if str(key).startswith("teach-name-")]:
        del st.session_state[key]


def _show_problem(desk: Desk, language: Language) -> None:
    if desk.problem:
        look.tell_problem(desk.problem, language)


def _try(desk: Desk, action: Any) -> bool:
    """Do what a click asks of the API; keep the problem, if there is one, to be told."""
    desk.problem = None
    try:
        action()
    except ApiDown:
        desk.problem = API_DOWN
    except Refused as refusal:
        desk.problem = refusal.kind
    return desk.problem is None


# Step 1: the names.


def _ask_names(desk: Desk, api: Api, bounds: dict[str, Any], language: Language) -> None:
    texts = TEXTS[language]
    st.html(pieces.text("h3", "step", texts.teach_name_step))
    examples = texts.teach_examples.split(", ")
    for place in range(len(desk.names)):
        key = f"teach-name-{place}"
        if key not in st.session_state:
            st.session_state[key] = desk.names[place]
        desk.names[place] = st.text_input(
            texts.teach_name.format(number=place + 1),
            key=key,
            max_chars=40,
            placeholder=examples[place % len(examples)],
        )
    with st.container(horizontal=True):
        st.button(
            texts.teach_add_class,
            key="teach-add-class",
            icon=":material/add:",
            disabled=len(desk.names) >= bounds["max_classes"],
            on_click=lambda: desk.names.append(""),
        )
        st.button(
            texts.teach_begin,
            key="teach-begin",
            type="primary",
            on_click=partial(_begin, desk, api),
        )
    if desk.problem == "too-few-names":
        st.info(texts.teach_names_missing, icon=":material/edit:")


def _begin(desk: Desk, api: Api) -> None:
    # A click tells what is in the fields before they have told it themselves.
    written = [st.session_state.get(f"teach-name-{n}", "") for n in range(len(desk.names))]
    names = [name.strip() for name in written if name.strip()]
    if len(names) < 2:
        desk.problem = "too-few-names"
        return

    def begin() -> None:
        desk.lesson_id = api.begin_lesson(names)["id"]

    if _try(desk, begin):
        st.query_params["lesson"] = desk.lesson_id or ""


# Steps 2 and 3, and what comes after them.


def _show_lesson(
    desk: Desk,
    lesson: dict[str, Any],
    api: LessonApi,
    bounds: dict[str, Any],
    language: Language,
) -> None:
    texts = TEXTS[language]
    state = lesson["state"]
    if state == "training":
        _show_problem(desk, language)
        _show_training(desk, api, language)
        return
    if state == "cancelled":
        st.info(texts.teach_cancelled, icon=":material/pause_circle:")
    elif state == "failed":
        st.warning(texts.teach_failed, icon=":material/error:")
        st.caption(texts.teach_failed_why.format(error=lesson["error"]))
    if lesson["model"] is None:
        _collect(desk, lesson, api, bounds, language)
    else:
        if state == "finished":
            _show_outcome(lesson, language)
        _try_out(desk, lesson["model"], api, language)
        with st.expander(texts.teach_again, key="teach-again", expanded=state != "finished"):
            _collect(desk, lesson, api, bounds, language)
    _show_end(desk, api, bounds, language)


def _collect(
    desk: Desk,
    lesson: dict[str, Any],
    api: LessonApi,
    bounds: dict[str, Any],
    language: Language,
) -> None:
    texts, needed = TEXTS[language], bounds["min_pictures"]
    st.html(pieces.text("h3", "step", texts.teach_pictures_step))
    st.html(pieces.text("p", "knows", texts.teach_pictures_help.format(count=needed)))
    _load_thumbnails(desk, lesson, api)
    st.html(pieces.widget_words(texts))
    for place, one in enumerate(lesson["classes"]):
        with st.container(border=True, key=f"teach-class-{place}"):
            _show_class(desk, place, one, needed, api, language)
    if not any(one["pictures"] for one in lesson["classes"]):
        names = [one["name"] for one in lesson["classes"]]
        st.button(
            texts.teach_rename,
            key="teach-rename",
            icon=":material/edit:",
            type="tertiary",
            on_click=partial(_rename, desk, api, names),
        )
    else:
        st.caption(texts.teach_take_away_help)
    _offer_training(desk, lesson, api, needed, language)


def _rename(desk: Desk, api: LessonApi, names: list[str]) -> None:
    if _try(desk, api.forget):
        _begin_anew(names)


def _load_thumbnails(desk: Desk, lesson: dict[str, Any], api: LessonApi) -> None:
    names = {name for one in lesson["classes"] for name in one["pictures"]}
    if names <= set(desk.thumbnails):
        return
    try:
        desk.thumbnails = api.thumbnails()
    except (ApiDown, Refused):
        return  # they are shown without


def _show_class(
    desk: Desk, place: int, one: dict[str, Any], needed: int, api: LessonApi, language: Language
) -> None:
    texts, name, pictures = TEXTS[language], one["name"], one["pictures"]
    enough = len(pictures) >= needed
    told = texts.teach_enough if enough else texts.teach_count
    told = told.format(count=len(pictures), needed=needed)
    st.html(pieces.collected(name, told, len(pictures) / needed))
    if pictures:
        _show_pictures(desk, place, one, api, language)
    drop_here = texts.teach_drop_here.format(name=name)
    st.html(pieces.drop_words(f"teach-upload-{place}", drop_here))
    files_key = f"teach-files-{place}-{desk.turn}"
    with st.container(key=f"teach-upload-{place}"):
        st.file_uploader(
            drop_here,
            key=files_key,
            accept_multiple_files=True,
            label_visibility="collapsed",
            on_change=partial(_take, desk, name, files_key),
        )
    look.camera_button(
        desk.camera == name,
        f"teach-camera-{place}",
        f"teach-photo-{place}-{desk.turn}",
        partial(_switch_camera, desk, name),
        partial(_take, desk, name, f"teach-photo-{place}-{desk.turn}"),
        language,
    )
    for kind in dict.fromkeys(desk.refused.get(name, [])):
        reason = texts.problems.get(kind, texts.other_problem)
        count = desk.refused[name].count(kind)
        st.warning(
            texts.teach_refused.format(count=count, reason=reason), icon=":material/broken_image:"
        )


def _show_pictures(
    desk: Desk, place: int, one: dict[str, Any], api: LessonApi, language: Language
) -> None:
    texts, pictures = TEXTS[language], one["pictures"]
    numbered = list(enumerate(pictures, start=1))
    if len(pictures) > _MOST_SHOWN and not st.toggle(
        texts.teach_show_all.format(count=len(pictures)), key=f"teach-all-{place}"
    ):
        numbered = numbered[-_MOST_SHOWN:]
    look.picture_buttons(
        f"teach-pictures-{place}",
        {
            f"teach-picture-{picture}": (
                texts.teach_take_away.format(number=count, name=one["name"]),
                desk.thumbnails.get(picture, ""),
                partial(_remove, desk, api, picture),
            )
            for count, picture in numbered
        },
    )


def _take(desk: Desk, class_name: str, key: str) -> None:
    """Take what was chosen, or the photo, out of a widget."""
    chosen = st.session_state[key]
    if chosen is None:
        return
    files = chosen if isinstance(chosen, list) else [chosen]
    desk.refused.clear()
    waiting = desk.waiting.setdefault(class_name, [])
    waiting += [(file.name, file.getvalue()) for file in files]
    desk.turn += 1


def _switch_camera(desk: Desk, class_name: str) -> None:
    desk.camera = None if desk.camera == class_name else class_name


def _remove(desk: Desk, api: LessonApi, picture: str) -> None:
    desk.refused.clear()
    _try(desk, partial(api.remove, picture))


def _send_waiting(desk: Desk, api: LessonApi, limits: dict[str, Any], language: Language) -> None:
    """Send the files that were chosen; those that the API refuses are told.

    Where it does not answer, those that are left wait for the next time.
    """
    if not desk.waiting:
        return
    with st.spinner(TEXTS[language].teach_sending):
        for class_name, files in list(desk.waiting.items()):
            refused = desk.refused.setdefault(class_name, [])
            while files:
                portion = _first(files, limits)
                if len(portion[0][1]) > limits["max_upload_bytes"]:
                    refused.append("request-too-large")
                else:
                    refused += _add(api, class_name, portion)
                del files[: len(portion)]
            del desk.waiting[class_name]


def _add(api: LessonApi, class_name: str, files: list[_File]) -> list[str]:
    """Send files in one request; the kinds of the problems of those that were refused."""
    try:
        problems = api.add(class_name, files)
    except Refused as refusal:
        return [refusal.kind] * len(files)
    return [one["type"].rpartition(":")[2] for one in problems]


def _first(files: list[_File], limits: dict[str, Any]) -> list[_File]:
    """The first of the files, as many as the API takes in one request and at least one."""
    size, count = 0, 0
    for _, content in files[: limits["max_pictures"]]:
        size += len(content) + 1000  # its part's head
        if count and size > 0.9 * limits["max_upload_bytes"]:
            break
        count += 1
    return files[:count]


# Step 3: learning.


def _offer_training(
    desk: Desk, lesson: dict[str, Any], api: LessonApi, needed: int, language: Language
) -> None:
    texts = TEXTS[language]
    st.html(pieces.text("h3", "step", texts.teach_train_step))
    missing = [
        f"{needed - len(one['pictures'])} × {one['name']}"
        for one in lesson["classes"]
        if len(one["pictures"]) < needed
    ]
    told = texts.teach_missing.format(missing=", ".join(missing)) if missing else texts.teach_ready
    st.html(pieces.paragraphs([told]))
    st.button(
        texts.teach_train_again if lesson["model"] else texts.teach_train,
        key="teach-train",
        type="primary",
        icon=":material/school:",
        width="stretch",
        disabled=bool(missing),
        on_click=partial(_train, desk, api),
    )
    _show_problem(desk, language)


def _train(desk: Desk, api: LessonApi) -> None:
    desk.camera, desk.visit = None, Visit()
    desk.refused.clear()
    _try(desk, api.train)


def _show_training(desk: Desk, api: LessonApi, language: Language) -> None:
    texts = TEXTS[language]

    @st.fragment(run_every=_SECONDS_BETWEEN_LOOKS)
    def watch() -> None:
        try:
            lesson = api.status()
        except (ApiDown, Refused):
            st.rerun()  # which tells it
        if lesson["state"] != "training":
            st.rerun()
        progress = lesson["progress"]
        share, words = _read_progress(progress, language)
        st.progress(share, words)
        history = progress["history"]
        if history:
            _show_curve(history, language)
        st.button(
            texts.teach_cancel,
            key="teach-cancel",
            icon=":material/stop_circle:",
            on_click=partial(_try, desk, api.cancel),
        )

    watch()
    st.caption(texts.teach_may_leave)


def _read_progress(progress: dict[str, Any], language: Language) -> tuple[float, str]:
    """How far the bar goes, and what it says."""
    texts, passed, left = TEXTS[language], progress["seconds"], progress["seconds_left"]
    if left is None:
        return min(1.0, passed / _PREPARING_SECONDS) * _PREPARING_SHARE, texts.teach_starting
    if progress["epoch"] < progress["epochs"]:
        words = texts.teach_learning.format(epoch=progress["epoch"], epochs=progress["epochs"])
    else:
        words = texts.teach_measuring
    return passed / (passed + left), f"{words} {texts.teach_left.format(seconds=round(left))}"


def _show_curve(history: list[dict[str, float]], language: Language) -> None:
    texts = TEXTS[language]
    chart = charts.curves(history, "accuracy", language, texts)
    alt = texts.curves_alt.format(quantity=texts.accuracy)
    st.altair_chart(chart, key="teach-curve", alt=alt)


# Step 4: using it.


def _show_outcome(lesson: dict[str, Any], language: Language) -> None:
    texts, model = TEXTS[language], lesson["model"]
    st.success(texts.teach_done, icon=":material/celebration:")
    facts = []
    if model["accuracy"] is not None and model["pictures"]:
        count = model["pictures"]
        right = number(round(model["accuracy"] * count), language)
        facts.append(texts.teach_right.format(right=right, count=number(count, language)))
    if model["accuracy_interval"]:
        low, high = (percent(end, language, digits=0) for end in model["accuracy_interval"])
        facts.append(texts.teach_interval.format(low=low, high=high))
    st.html(pieces.paragraphs(facts))
    history = lesson["progress"]["history"] if lesson["progress"] else []
    if len(history) > 1:
        with st.expander(texts.teach_how_it_went, key="teach-how"):
            _show_curve(history, language)


def _try_out(desk: Desk, model: dict[str, Any], api: LessonApi, language: Language) -> None:
    texts, visit = TEXTS[language], desk.visit
    visit.model = model
    st.html(pieces.text("h3", "step", texts.teach_try))
    st.html(pieces.text("p", "knows", texts.teach_try_help))
    st.html(pieces.widget_words(texts))
    files_key, photo_key = f"teach-try-{desk.turn}", f"teach-try-photo-{desk.turn}"
    with st.container(key="upload-to-try"):
        st.file_uploader(
            texts.choose,
            key=files_key,
            accept_multiple_files=True,
            label_visibility="collapsed",
            on_change=partial(_take_to_try, desk, files_key),
        )
    look.camera_button(
        desk.camera == "",
        "teach-try-camera",
        photo_key,
        partial(_switch_camera, desk, ""),
        partial(_take_to_try, desk, photo_key),
        language,
    )
    look.show_answers(visit, model, api, language)
    st.download_button(
        texts.teach_download,
        api.model,
        file_name="imagette-lesson.onnx",
        mime="application/octet-stream",
        icon=":material/download:",
        key="teach-download",
        on_click="ignore",
    )
    st.caption(texts.teach_download_help)


def _take_to_try(desk: Desk, key: str) -> None:
    chosen = st.session_state[key]
    if chosen is None:
        return
    desk.turn += 1
    desk.visit.show_files(chosen if isinstance(chosen, list) else [chosen])


def _show_end(desk: Desk, api: LessonApi, bounds: dict[str, Any], language: Language) -> None:
    """Where it all is, and how to be rid of it."""
    texts = TEXTS[language]
    st.caption(texts.teach_address)
    hours = number(bounds["lesson_hours"], language)
    st.caption(texts.teach_privacy.format(hours=hours))
    with st.popover(
        texts.teach_forget, key="teach-forget", type="tertiary", icon=":material/delete:"
    ):
        st.markdown(texts.teach_forget_sure)
        st.button(
            texts.teach_forget_yes, key="teach-forget-yes", on_click=partial(_forget, desk, api)
        )


def _forget(desk: Desk, api: LessonApi) -> None:
    if _try(desk, api.forget) or desk.problem == "no-lesson":
        _begin_anew()
