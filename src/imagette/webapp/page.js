// What Streamlit does not do: it tells screen readers less than they need, does not bring an answer
// into view, and would ask the server at every step of a slider.

window.imagettePage ??= {
  // Called when the page is drawn in a language.
  arrive() {
    const { language, pages } = document.getElementById("imagette-page").dataset;
    document.documentElement.lang = language;
    this.pages = pages;
    this.mark();
  },

  // Called at every change: Streamlit may draw the links later, or lead to another page of them.
  mark() {
    this.markTiles();
    this.tellFailure();
    const links = document.querySelector(".st-key-pages");
    if (!links) return;
    links.setAttribute("role", "navigation");
    links.setAttribute("aria-label", this.pages);
    const here = location.pathname.split("/").pop();
    for (const link of links.querySelectorAll("a")) {
      const isHere = link.getAttribute("href").split("/").pop() === here;
      isHere ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
    this.name();
  },

  // Gives names to buttons whose words are of a style, which not every screen reader reads.
  name() {
    const { lang } = document.documentElement;
    const worded = '[data-testid="stFileUploaderDropzone"] button, [data-testid="stCameraInputButton"]';
    for (const button of document.querySelectorAll(worded)) {
      if (button.lang === lang) continue;
      const words = getComputedStyle(button, "::after").content;
      if (!words.startsWith('"')) continue; // the style is not there yet
      button.lang = lang;
      button.setAttribute("aria-label", words.slice(1, -1));
    }
  },

  // A file that did not get through: Streamlit says so in English alone.
  tellFailure() {
    const failed = document.querySelector('[data-testid="stFileChipIconError"]');
    if (failed && failed !== this.failed) {
      this.say(document.getElementById("imagette-page").dataset.notSent);
    }
    this.failed = failed;
  },

  // Small images that are buttons say what they are called, and which of them is open.
  markTiles() {
    const told = document.getElementById("imagette-tiles");
    if (!told) return;
    const { names, opened } = told.dataset;
    for (const [key, name] of Object.entries(JSON.parse(names))) {
      const button = document.querySelector(`.st-key-${key} button`);
      if (!button) continue;
      const words = `${name}: ${button.textContent}`;
      if (button.ariaLabel !== words) button.ariaLabel = words;
      button.title = name;
      button.ariaExpanded = String(key === opened);
    }
  },

  // Called at every drawing of answers; the number is another one when a person asked for them.
  show() {
    const { number, key } = document.getElementById("imagette-view").dataset;
    if (this.shown === number) return;
    this.shown = number;
    const place = document.querySelector(`.st-key-${key}`);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const isAll = key === "answers";
    const block = isAll ? "start" : "nearest";
    place.scrollIntoView({ behavior: still ? "auto" : "smooth", block });
    const heading = place.querySelector("h2");
    if (isAll) {
      this.say(heading.textContent);
      return;
    }
    // Of many images, one was opened or closed again: the keyboard goes on from there.
    if (heading) heading.tabIndex = -1;
    (heading ?? place.querySelector("button")).focus({ preventScroll: true });
  },

  // Lets a screen reader say it.
  say(words) {
    if (!this.status) {
      this.status = document.createElement("div");
      this.status.setAttribute("role", "status");
      this.status.className = "imagette-unseen";
      document.body.append(this.status);
    }
    this.status.textContent = words;
  },
};

if (!window.imagettePage.listens) {
  window.imagettePage.listens = true;
  const observer = new MutationObserver(() => window.imagettePage.mark());
  observer.observe(document.body, { childList: true, subtree: true });
  document.addEventListener("input", ({ target }) => {
    if (target.matches(".imagette-opacity input")) {
      const images = target.closest(".imagette-images");
      images.style.setProperty("--imagette-opacity", target.value / 100);
    }
  });
  document.addEventListener("click", async ({ target }) => {
    if (!target.matches(".imagette-link button")) return;
    const link = target.previousElementSibling;
    try {
      await navigator.clipboard.writeText(link.href);
    } catch {
      // Only pages over https may; everybody can copy what is selected.
      getSelection().selectAllChildren(link);
      return;
    }
    const words = target.textContent;
    target.textContent = target.dataset.copied;
    window.imagettePage.say(target.dataset.copied);
    setTimeout(() => (target.textContent = words), 2000);
  });
}

window.imagettePage.arrive();
