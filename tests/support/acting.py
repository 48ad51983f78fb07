"""What a person does on the page once it is drawn: until then, what they reach for may yet be
replaced."""


def upload(page, name, content, mime="image/png"):
    upload_all(page, {name: content}, mime)


def upload_all(page, files, mime="image/png"):
    """Choose several files at once, contents by name."""
    wait_until_drawn(page)
    page.locator("input[type=file]").set_input_files(
        [{"name": name, "mimeType": mime, "buffer": content} for name, content in files.items()]
    )


def press(target):
    wait_until_drawn(target.page)
    target.click()


def wait_until_drawn(page):
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
