// Streamlit draws what a button opens at the very end of the page and leaves the focus on the
// button, so that Tab would lead past it. Here the focus goes in, and comes back to the button; that
// Escape closes it, Streamlit sees to.

window.imagettePopovers ??= {
  popover: null, // the one that is open
  button: null, // that opened it
  around: [], // what the button is in, from within, in case it goes as well

  // Called at every change, which may also take away what had the focus.
  follow() {
    const popover = document.querySelector('[data-testid="stPopoverBody"]');
    const isNowhere = document.activeElement === document.body;
    if (popover && popover !== this.popover) this.enter(popover);
    else if (popover && isNowhere) this.focus(popover);
    else if (this.popover && isNowhere) this.comeBack();
    this.popover = popover;
  },

  // The popover itself is focused, not its first field: a screen reader says what it is called, no
  // phone shows its keyboard, and a key that is held down presses nothing in it.
  enter(popover) {
    this.button = document.querySelector('[data-testid="stPopoverButton"][aria-expanded="true"]');
    this.around = [];
    for (let one = this.button; one; one = one.parentElement) this.around.push(one);
    this.focus(popover);
  },

  comeBack() {
    this.focus(this.around.find((one) => one.isConnected));
  },

  focus(place) {
    if (place !== this.button) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  },

  // Tab at the end of it, and Shift+Tab at its beginning, lead out of it, and close it.
  onKey(event) {
    const here = document.activeElement;
    if (event.key !== "Tab" || !this.popover?.contains(here)) return;
    const fields = [...this.popover.querySelectorAll("button, input")].filter(
      (field) => field.tabIndex >= 0 && !field.disabled,
    );
    const ends = event.shiftKey ? [this.popover, fields[0]] : [fields.at(-1)];
    if (!ends.includes(here)) return;
    this.focus(this.button);
    this.button.click();
    // Tab goes on from the button to what follows it; Shift+Tab stays there.
    if (event.shiftKey) event.preventDefault();
  },
};

if (!window.imagettePopovers.listens) {
  window.imagettePopovers.listens = true;
  const observer = new MutationObserver(() => window.imagettePopovers.follow());
  observer.observe(document.body, { childList: true, subtree: true });
  document.addEventListener("keydown", (event) => window.imagettePopovers.onKey(event));
}
