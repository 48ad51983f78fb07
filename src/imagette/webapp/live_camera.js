// A camera that shows what it sees, hands over an image about twice a second while there is
// somebody to answer, and one for a class when its button is pressed, or some while it is held.
// Streamlit calls the function below anew whenever Python has something to say.

const BETWEEN = 400; // milliseconds from one image to the next
const PATIENCE = 5000; // for the answer, before another image is sent
const SIDE = 400; // of the images, in pixels

const cameras = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  if (!cameras.has(parentElement)) cameras.set(parentElement, new Camera(parentElement));
  const camera = cameras.get(parentElement);
  camera.send = (image) => setTriggerValue("image", image);
  camera.hear(data);
  return () => {
    camera.close();
    cameras.delete(parentElement);
  };
}

class Camera {
  constructor(place) {
    this.video = place.querySelector("video");
    this.buttons = place.querySelector(".buttons");
    this.words = place.querySelector(".words");
    this.canvas = document.createElement("canvas");
    this.data = { add: [] };
    this.sent = this.answered = 0;
    this.sentAt = -PATIENCE;
    this.timer = setInterval(() => this.look(), 50);
    this.open();
  }

  async open() {
    try {
      const video = { width: { ideal: 640 }, facingMode: { ideal: "environment" } };
      const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      if (this.closed) return stop(stream);
      this.stream = this.video.srcObject = stream;
      const { facingMode } = stream.getVideoTracks()[0].getSettings();
      // People expect a mirror of a camera that looks at them; what is sent is not mirrored.
      this.video.classList.toggle("mirrored", facingMode !== "environment");
      await this.video.play();
      this.isOpen = true;
    } catch {
      this.isRefused = true;
    }
    this.tell();
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    if (this.stream) stop(this.stream);
  }

  // What Python says: the classes, whether it answers, and how many images it has taken in.
  hear(data) {
    this.data = data;
    this.answered = data.taken;
    const names = JSON.stringify(data.add);
    if (names !== this.names) {
      this.names = names;
      this.buttons.replaceChildren(...data.add.map((words, label) => this.makeButton(words, label)));
    }
    this.tell();
  }

  makeButton(words, label) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("pointerdown", () => {
      this.held = label;
      this.took = false;
    });
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
      button.addEventListener(end, () => (this.held = undefined));
    }
    // However short a click is, it takes an image; so does the keyboard, which holds nothing.
    button.addEventListener("click", () => {
      if (!this.took) this.wanted = label;
      this.took = false;
    });
    return button;
  }

  tell() {
    const { allow, refused } = this.data;
    this.words.textContent = this.isOpen ? "" : this.isRefused ? refused : allow;
    this.video.hidden = !this.isOpen;
    for (const button of this.buttons.children) button.disabled = !this.isOpen;
  }

  look() {
    const waited = performance.now() - this.sentAt;
    const isFree = this.answered >= this.sent || waited > PATIENCE;
    if (!this.isOpen || document.hidden || !isFree) return;
    const label = this.wanted ?? this.held;
    if (label === undefined && !this.data.answers) return;
    if (this.wanted === undefined && waited < BETWEEN) return;
    if (this.wanted === undefined && label !== undefined) this.took = true;
    this.wanted = undefined;
    this.sent = this.answered + 1;
    this.sentAt = performance.now();
    this.send({ number: this.sent, label: label ?? null, content: this.draw() });
  }

  draw() {
    const { video, canvas } = this;
    const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/jpeg", 0.9);
  }
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}
