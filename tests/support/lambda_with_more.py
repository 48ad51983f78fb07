"""The application with what it does not answer itself: a picture, and several cookies."""

from flask import Response, request

from imagette.serving.app import create_app
from imagette.serving.aws_lambda import make_handler

app = create_app()


@app.route("/picture")
def picture():
    return Response(b"\x89PNG\r\n\x1a\n\xff\x00", mimetype="image/png")


@app.route("/heard", methods=["POST"])
def heard():
    answer = Response(request.get_data(), mimetype="application/octet-stream")
    answer.set_cookie("first", "1")
    answer.set_cookie("second", "2")
    answer.headers["X-Cookies"] = str(sorted(request.cookies.items()))
    answer.headers["X-Several"] = request.headers["X-Several"]
    answer.headers["X-Options"] = str(request.args.getlist("option"))
    return answer


handler = make_handler(app)
