// The pictures of a class: a tap enlarges one, its × deletes it, and the keyboard does both.
// Streamlit calls the function below anew whenever Python has something to say.

const places = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  if (!places.has(parentElement)) places.set(parentElement, new Pictures(parentElement));
  const pictures = places.get(parentElement);
  pictures.tell = setTriggerValue;
  pictures.hear(data);
  return () => {
    pictures.close();
    places.delete(parentElement);
  };
}

class Pictures {
  constructor(place) {
    this.list = place.querySelector("ul");
    this.dialog = place.querySelector("dialog");
    this.items = new Map(); // by name
    this.gone = new Set(); // told to Python, which has not said so yet
    const { dialog } = this;
    for (const kind of ["previous", "next", "delete", "close"]) {
      dialog.querySelector(`.${kind}`).addEventListener("click", () => this[kind]());
    }
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.previous();
      if (event.key === "ArrowRight") this.next();
      if (event.key === "Delete") this.delete();
    });
    // A click beside the picture closes it.
    dialog.addEventListener("click", ({ target }) => target === dialog && this.close());
  }

  hear(data) {
    this.data = data;
    const names = data.pictures.map(({ name }) => name);
    this.gone = new Set([...this.gone].filter((name) => names.includes(name)));
    for (const [name, item] of this.items) {
      if (!names.includes(name)) this.takeOut(name, item);
    }
    const items = data.pictures.map((picture) => {
      if (!this.items.has(picture.name)) this.items.set(picture.name, this.makeItem(picture.name));
      const item = this.items.get(picture.name);
      const [enlarge, remove] = item.querySelectorAll("button");
      enlarge.setAttribute("aria-label", picture.enlarge);
      remove.setAttribute("aria-label", picture.delete);
      const image = enlarge.querySelector("img");
      if (image.getAttribute("src") !== picture.url) image.src = picture.url;
      return item;
    });
    // Those that are there stay in place, so that the keyboard's focus does.
    items.forEach((item, place) => {
      const there = this.list.children[place];
      if (there !== item) this.list.insertBefore(item, there ?? null);
    });
    this.draw();
  }

  makeItem(name) {
    const item = document.createElement("li");
    const [enlarge, remove] = ["enlarge", "remove"].map((kind) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = kind;
      item.append(button);
      return button;
    });
    enlarge.append(document.createElement("img"));
    enlarge.firstChild.alt = "";
    remove.textContent = "×";
    enlarge.addEventListener("click", () => this.open(name));
    remove.addEventListener("click", () => this.remove(name));
    item.addEventListener("keydown", (event) => event.key === "Delete" && this.remove(name));
    return item;
  }

  takeOut(name, item) {
    // The focus goes to the next picture, or the one before.
    if (item.contains(document.activeElement)) {
      const next = item.nextElementSibling ?? item.previousElementSibling;
      next?.querySelector(".enlarge").focus();
    }
    item.remove();
    this.items.delete(name);
    if (this.shown === name) this.close();
  }

  remove(name) {
    this.gone.add(name);
    this.tell("removed", [...this.gone]);
  }

  open(name) {
    this.shown = name;
    this.draw();
    if (!this.dialog.open) this.dialog.showModal();
    if (this.data.large?.name !== name) this.tell("enlarged", name);
  }

  close() {
    this.shown = undefined;
    if (this.dialog.open) this.dialog.close();
  }

  step(by) {
    const { pictures } = this.data;
    const place = pictures.findIndex(({ name }) => name === this.shown);
    const next = pictures[place + by];
    if (next) this.open(next.name);
  }

  previous() {
    this.step(-1);
  }

  next() {
    this.step(1);
  }

  delete() {
    const name = this.shown;
    this.close();
    this.remove(name);
  }

  // The dialog, first with the small image, which is at hand, then with the whole.
  draw() {
    const { pictures, large, words } = this.data;
    const place = pictures.findIndex(({ name }) => name === this.shown);
    if (place < 0) return;
    const picture = pictures[place];
    const image = this.dialog.querySelector("img");
    const url = large?.name === this.shown ? large.url : picture.url;
    if (image.getAttribute("src") !== url) image.src = url;
    image.alt = this.dialog.ariaLabel = picture.title;
    for (const kind of ["previous", "next", "close"]) {
      this.dialog.querySelector(`.${kind}`).setAttribute("aria-label", words[kind]);
    }
    this.dialog.querySelector(".delete").textContent = words.delete;
    this.dialog.querySelector(".previous").disabled = place === 0;
    this.dialog.querySelector(".next").disabled = place === pictures.length - 1;
  }
}
