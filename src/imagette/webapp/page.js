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
    const links = document.querySelector(".st-key-pages");
    if (!links) return;
    links.setAttribute("role", "navigation");
    links.setAttribute("aria-label", this.pages);
    const here = location.pathname.split("/").pop();
    for (const link of links.querySelectorAll("a")) {
      const isHere = link.getAttribute("href").split("/").pop() === here;
      isHere ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
  },

  // Called at every drawing of answers; the number is another one when a person asked for them.
  show() {
    const { number } = document.getElementById("imagette-view").dataset;
    if (this.shown === number) return;
    this.shown = number;
    const answers = document.querySelector(".st-key-answers");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    answers.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
    this.say(answers.querySelector("h2").textContent);
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
}

window.imagettePage.arrive();
