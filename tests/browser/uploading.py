"""Choosing files on the page."""


def upload(page, name, content, mime="image/png"):
    upload_all(page, {name: content}, mime)


def upload_all(page, files, mime="image/png"):
    """Several at once, contents by name."""
    page.locator("input[type=file]").set_input_files(
        [{"name": name, "mimeType": mime, "buffer": content} for name, content in files.items()]
    )
