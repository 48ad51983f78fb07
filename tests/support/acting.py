"""What a person does on the page once it is drawn: until then, what they reach for may yet be
replaced."""

import base64


def upload(page, name, content, mime="image/png"):
    upload_all(page, {name: content}, mime)


def upload_all(page, files, mime="image/png"):
    """Choose several files at once, contents by name."""
    wait_until_drawn(page)
    page.locator("input[type=file]").set_input_files(
        [{"name": name, "mimeType": mime, "buffer": content} for name, content in files.items()]
    )


def drop(page, name, content, mime="image/png"):
    """Drop a file onto the box."""
    wait_until_drawn(page)
    zone = page.get_by_test_id("stFileUploaderDropzone")
    transfer = page.evaluate_handle(
        """([name, content, type]) => {
            const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, {type}));
            return transfer;
        }""",
        [name, base64.b64encode(content).decode(), mime],
    )
    for event in ("dragenter", "dragover", "drop"):
        zone.dispatch_event(event, {"dataTransfer": transfer})


def press(target):
    wait_until_drawn(target.page)
    target.click()


def wait_until_drawn(page):
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
