"""What axe-core finds wrong with a page for those who do not see it, or do not use a mouse."""

from axe_playwright_python.sync_playwright import Axe


def faults(page, without=()):
    """The serious and critical faults, each as the rule and the first elements that break it.

    Args:
        page: in a browser.
        without: rules that others' elements break, which nothing of ours can mend.
    """
    # What is folded away is read as well.
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    # Halfway through a transition colours are such as nobody reads.
    page.evaluate(
        """for (const one of document.getAnimations()) {
            try { one.finish() } catch { one.cancel() }
        }"""
    )
    found = Axe().run(page).response["violations"]
    return [
        (fault["id"], [(node["target"], node["failureSummary"]) for node in fault["nodes"][:3]])
        for fault in found
        if fault["impact"] in ("serious", "critical") and fault["id"] not in without
    ]
