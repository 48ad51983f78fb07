"""What a person does on the page: choosing files and pressing buttons."""


def upload(page, name, content, mime="image/png"):
    upload_all(page, {name: content}, mime)


def upload_all(page, files, mime="image/png"):
    """Several at once, contents by name."""
    page.locator("input[type=file]").set_input_files(
        [{"name": name, "mimeType": mime, "buffer": content} for name, content in files.items()]
    )


def press(target):
    """Click on something once the page is drawn: until then it may yet be replaced."""
    target.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    target.click()
