"""`POST /feedback`: what a picture that was answered wrongly really shows.

It is there when the setting `feedback` names a folder.
"""

from typing import TYPE_CHECKING, Any, cast

from flask import request

from imagette.serving.openapi import feedback_request, make_blueprint, responses
from imagette.serving.schemas.feedback import FeedbackAnswer
from imagette.serving.state import server_state
from imagette.serving.uploads import read_declared_picture

if TYPE_CHECKING:
    from imagette.serving.feedback import FeedbackFolder

blueprint = make_blueprint("feedback", __name__, "Pictures")


@blueprint.post(
    "/feedback",
    responses=responses(
        FeedbackAnswer, "wrong-class", "no-picture", "unreadable-picture", "picture-too-large",
        "too-much-decoding", "unsupported-content-type", "too-slow", "out-of-time", "overloaded",
        "feedback-full", "no-room", status="201",
    ),
    openapi_extensions=feedback_request(),
)  # fmt: skip
def keep_picture() -> tuple[dict[str, Any], int]:
    """Keep a picture that was answered wrongly, under what it really shows"""
    state = server_state()
    # The blueprint is registered only where there is a folder.
    folder = cast("FeedbackFolder", state.feedback)
    content = read_declared_picture(request, state)
    name = request.args.get("class", "")
    kept = folder.keep(content, name, state.model.now.classifier, state.gate(request))
    return FeedbackAnswer(label=kept).model_dump(by_alias=True), 201
