// A camera that shows what it sees, hands over an image some times a second while there is somebody
// to answer, and records images of a class as long as its button is held. One message is on its way
// at a time, and where answers take long, fewer are asked for.
// Streamlit calls the function below anew whenever Python has something to say.

const BETWEEN = 350; // milliseconds from one image that is only looked at to the next, at least
const SLOW = 3000; // the same where there was no answer
const RECORDED = 250; // milliseconds from one recorded image to the next
const PATIENCE = 5000; // for the answer, before another image is sent
const SIDE = 400; // of the images, in pixels
const BATCH = 8; // recorded images in one message
const MOST = 40; // recorded images that wait to be sent; then no more are recorded until some were

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
    this.count = place.querySelector(".count");
    this.buttons = place.querySelector(".buttons");
    this.words = place.querySelector(".words");
    this.canvas = document.createElement("canvas");
    this.data = { record: [] };
    this.sent = this.answered = this.took = this.recordedAt = 0;
    this.sentAt = -PATIENCE;
    this.waiting = []; // recorded, and not sent yet
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
    clearTimeout(this.hiding);
    if (this.stream) stop(this.stream);
  }

  // What Python says: the classes, whether it answers, and how many messages it has taken in.
  hear(data) {
    if (this.answered < this.sent && data.taken >= this.sent) {
      this.took = performance.now() - this.sentAt;
    }
    this.data = data;
    this.answered = data.taken;
    const names = JSON.stringify(data.record);
    if (names !== this.names) {
      this.names = names;
      const buttons = data.record.map((words, label) => this.makeButton(words, label));
      this.buttons.replaceChildren(...buttons);
    }
    this.tell();
  }

  makeButton(words, label) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("pointerdown", ({ button: which, pointerId }) => {
      if (which !== 0 || button.disabled) return;
      // Until it is let go, wherever the page or the pointer moves meanwhile.
      button.setPointerCapture(pointerId);
      this.pressed = true;
      this.begin(label); // however short a press is, it takes an image
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      button.addEventListener(end, () => this.end());
    }
    // The keyboard and screen readers press without a pointer: each press takes an image.
    button.addEventListener("click", () => {
      if (!this.pressed) {
        this.begin(label);
        this.end();
      }
      this.pressed = false;
    });
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long press
    return button;
  }

  begin(label) {
    if (!this.isOpen) return;
    this.held = label;
    this.recorded = 0;
    this.record();
  }

  end() {
    if (this.held === undefined) return;
    this.held = undefined;
    clearTimeout(this.hiding);
    this.hiding = setTimeout(() => (this.count.hidden = true), 1500);
  }

  record() {
    if (this.waiting.length >= MOST) return;
    this.recordedAt = performance.now();
    this.waiting.push({ label: this.held, content: this.draw() });
    this.recorded += 1;
    clearTimeout(this.hiding);
    this.count.hidden = false;
    this.count.textContent = this.recorded;
  }

  tell() {
    const { allow, refused } = this.data;
    this.words.textContent = this.isOpen ? "" : this.isRefused ? refused : allow;
    this.video.hidden = !this.isOpen;
    for (const button of this.buttons.children) button.disabled = !this.isOpen;
  }

  look() {
    if (!this.isOpen || document.hidden) return this.end();
    const now = performance.now();
    if (this.held !== undefined && now - this.recordedAt >= RECORDED) this.record();
    const waited = now - this.sentAt;
    if (this.answered < this.sent && waited < PATIENCE) return;
    if (this.waiting.length) {
      const { label } = this.waiting[0];
      const other = this.waiting.findIndex((image) => image.label !== label);
      const batch = this.waiting.splice(0, Math.min(BATCH, other < 0 ? BATCH : other));
      this.post(label, batch.map(({ content }) => content));
    } else if (this.data.answers && waited >= this.pause()) {
      this.post(null, [this.draw()]);
    }
  }

  // Half of the time, at least, the server has nothing to do for this camera.
  pause() {
    return this.data.isSlow ? SLOW : Math.max(BETWEEN, 2 * Math.min(this.took, PATIENCE));
  }

  post(label, contents) {
    this.sent = this.answered + 1;
    this.sentAt = performance.now();
    this.send({ number: this.sent, label, contents });
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
