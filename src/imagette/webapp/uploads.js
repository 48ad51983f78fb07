// Before Streamlit sends what was chosen or dropped, large pictures are made smaller, and files that
// the API would refuse are left out, so that the page can say so in its own words.

window.imagetteUploads ??= {
  box: '[data-testid="stFileUploaderDropzone"]',
  // Pixels of the longer and of the shorter side, and in all: more than any network looks at.
  longer: 2048,
  shorter: 1280,
  area: 16e6,
  light: 1e5, // bytes: such a file is sent as it is
  heavy: 15e5, // bytes: a larger one is worth the work
  refused: "application/x-imagette-refused;request-too-large", // see uploads.py
  own: new WeakSet(), // events that are sent on from here

  limits() {
    const { bytes, pixels, preparing } = document.getElementById("imagette-page").dataset;
    return { bytes: Number(bytes || Infinity), pixels: Number(pixels || Infinity), preparing };
  },

  onChange(event) {
    const input = event.target;
    if (this.own.has(event) || !input.matches?.(`${this.box} input[type=file]`)) return;
    if (!this.isNeeded(input.files)) return;
    event.stopImmediatePropagation();
    this.prepare(input.closest(this.box), [...input.files]).then((transfer) => {
      input.files = transfer.files;
      this.send(input, new Event("change", { bubbles: true }));
    });
  },

  onDrop(event) {
    const box = event.target.closest?.(this.box);
    if (!box || this.own.has(event)) return;
    const { files, items } = event.dataTransfer;
    // Streamlit looks into folders.
    if ([...items].some((item) => item.webkitGetAsEntry?.()?.isDirectory)) return;
    if (!this.isNeeded(files)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.prepare(box, [...files]).then((dataTransfer) =>
      this.send(box, new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer })),
    );
  },

  isNeeded(files) {
    return this.isAble && [...files].some((file) => file.size > this.light);
  },

  // Old browsers do not let a script make a list of files.
  isAble: (() => {
    try {
      return Boolean(new DataTransfer());
    } catch {
      return false;
    }
  })(),

  send(target, event) {
    this.own.add(event);
    target.dispatchEvent(event);
  },

  async prepare(box, files) {
    const { preparing } = this.limits();
    box.dataset.preparing = preparing;
    window.imagettePage.say(preparing);
    const transfer = new DataTransfer();
    try {
      for (const file of files) transfer.items.add(await this.fitting(file));
    } finally {
      delete box.dataset.preparing;
    }
    return transfer;
  },

  // The file, or a smaller one, or an empty one that says that it was too large.
  async fitting(file) {
    // A lesson that was saved holds many pictures: uploads.py says how large it may be.
    if (/\.zip$/i.test(file.name)) return file;
    const fit = file.size > this.light ? await this.smaller(file).catch(() => file) : file;
    if (fit.size <= this.limits().bytes) return fit;
    return new File([], file.name, { type: this.refused });
  },

  async smaller(file) {
    if (file.type === "image/svg+xml") return file; // no picture to the API, whatever its size
    const address = URL.createObjectURL(file);
    try {
      const image = new Image();
      await new Promise((resolve, reject) => {
        Object.assign(image, { onload: resolve, onerror: reject, src: address });
      });
      const { naturalWidth: width, naturalHeight: height } = image; // upright, by EXIF
      const { bytes, pixels } = this.limits();
      if (file.size <= Math.min(this.heavy, bytes) && width * height <= pixels) return file;
      const [short, long] = [width, height].sort((a, b) => a - b);
      const enough = Math.max(this.longer / long, this.shorter / short);
      const scale = Math.min(1, enough, Math.sqrt(this.area / (width * height)));
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(width * scale));
      canvas.height = Math.max(1, Math.round(height * scale));
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.fillStyle = "rgb(128 128 128)"; // what the API lays behind transparency
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      const content = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
      if (!content || content.size >= file.size) return file;
      const { lastModified } = file;
      return new File([content], file.name, { type: "image/jpeg", lastModified });
    } finally {
      URL.revokeObjectURL(address);
    }
  },
};

if (!window.imagetteUploads.listens) {
  const uploads = window.imagetteUploads;
  uploads.listens = true;
  // Before React, which listens further down.
  document.addEventListener("change", (event) => uploads.onChange(event), true);
  document.addEventListener("drop", (event) => uploads.onDrop(event), true);
}
