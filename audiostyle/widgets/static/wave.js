// The waveform of a sound: drag the cut, upload or drop a file. A file travels in pieces, each acknowledged, so that no
// limit on the size of a message applies and the page stays alive.
const PIECE = 1 << 20;

// A file that is dropped beside the cards goes to the nearest one; the browser would open it in place of the page.
function nearest(event) {
  const distance = (card) => {
    const box = card.getBoundingClientRect();
    const x = Math.max(box.left, Math.min(event.clientX, box.right));
    const y = Math.max(box.top, Math.min(event.clientY, box.bottom));
    return Math.hypot(event.clientX - x, event.clientY - y);
  };
  const shown = [...document.querySelectorAll(".as-wave")].filter((card) => card.offsetParent);
  return shown.sort((a, b) => distance(a) - distance(b))[0];
}

function render({ model, el }) {
  const title = model.get("title");
  const canvas = node("canvas", { width: 1200, height: 168, role: "img", title: "Drag the marked part, or its ends" });
  const file = node("input", {
    type: "file", "aria-label": `Upload a file as ${title.toLowerCase()}`,
    title: "WAV, FLAC, OGG, MP3, AIFF; others, such as M4A, where FFmpeg is installed",
    onchange: () => { upload(file.files[0]); file.value = ""; },
  });
  const root = node("div", { class: "as-widget as-wave" }, canvas,
    node("span", { class: "as-file" }, "Upload…", file), node("span", { class: "as-hint" }, "or drop a file anywhere"));
  let acknowledge = null;

  function show(from = model.get("start"), during = model.get("length")) {
    const { width, height } = canvas;
    const total = Math.max(model.get("duration"), 1e-6);
    const bytes = asBytes(model.get("peaks"));
    const peaks = new Float32Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 4));
    const loudest = Math.max(1e-6, ...peaks.map(Math.abs));
    const columns = peaks.length / 2;
    const [x0, x1] = [(from / total) * width, (Math.min(total, from + during) / total) * width];
    const [g, style] = [canvas.getContext("2d"), getComputedStyle(root)];
    const colour = (name) => (g.fillStyle = style.getPropertyValue(`--as-${name}`));
    g.clearRect(0, 0, width, height);
    colour("shade");
    g.fillRect(x0, 0, x1 - x0, height);
    for (let i = 0; i < columns; i++) {
      const x = ((i + 0.5) / columns) * width;
      const [low, high] = [peaks[2 * i] / loudest, peaks[2 * i + 1] / loudest];
      colour(x >= x0 && x <= x1 ? "accent" : "line");
      g.fillRect(x, height / 2 - high * height * 0.46, Math.max(1, width / columns - 0.5), Math.max(1, (high - low) * height * 0.46));
    }
    // The ends are marked by lines with handles, not by colour alone.
    colour("text");
    for (const x of [x0, x1]) {
      g.fillRect(Math.min(width - 3, Math.max(0, x - 1.5)), 0, 3, height);
      g.fillRect(Math.min(width - 11, Math.max(0, x - 5.5)), height / 2 - 14, 11, 28);
    }
    canvas.setAttribute("aria-label", `${title}: waveform of ${seconds(total)}, cut from ${seconds(from)} for ${seconds(during)}`);
  }

  function drag(event) {
    const total = model.get("duration");
    if (event.button > 0 || total <= 0) return;
    const [shortest, longest] = model.get("limits");
    const [from, during] = [model.get("start"), model.get("length")];
    const box = canvas.getBoundingClientRect();
    const time = (e) => ((e.clientX - box.left) / box.width) * total;
    const clamp = (x, low, high) => Math.min(high, Math.max(low, Math.round(x * 10) / 10));
    const [grabbed, reach] = [time(event), (14 / box.width) * total];
    const [toStart, toEnd] = [Math.abs(grabbed - from), Math.abs(grabbed - from - during)];
    const inside = grabbed >= from && grabbed <= from + during;
    let cut = [from, during];
    const move = (e) => {
      const t = time(e);
      const end = from + during;
      if (toEnd < reach && toEnd <= toStart) cut = [from, clamp(t - from, shortest, Math.min(longest, total - from))];
      else if (toStart < reach) cut = [clamp(t, Math.max(0, end - longest), end - shortest), 0];
      else cut = [clamp(t - (inside ? grabbed - from : during / 2), 0, Math.max(0, total - during)), during];
      if (cut[1] === 0) cut[1] = end - cut[0];
      show(...cut);
    };
    canvas.setPointerCapture(event.pointerId);
    if (!inside) move(event);
    canvas.onpointermove = move;
    canvas.onpointerup = canvas.onpointercancel = () => {
      canvas.onpointermove = canvas.onpointerup = canvas.onpointercancel = null;
      model.set("start", cut[0]);
      model.set("length", cut[1]);
      model.save_changes();
    };
  }

  async function upload(chosen) {
    if (!chosen) return;
    acknowledge?.(null); // the one before is given up
    for (let at = 0; at !== null && (at === 0 || at < chosen.size); ) {
      // A folder cannot be read, nor a file that is gone: of nothing, Python says why it is not taken.
      const piece = await chosen.slice(at, at + PIECE).arrayBuffer().catch(() => new ArrayBuffer(0));
      const answer = new Promise((resolve) => (acknowledge = resolve));
      const size = piece.byteLength ? chosen.size : 0;
      model.send({ type: "piece", name: chosen.name, size, at }, undefined, [piece]);
      at = await answer;
    }
  }

  // Every card listens on the whole page, and the nearest one takes the file.
  function onDrag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    const near = event.type !== "dragleave" && nearest(event) === root;
    root.classList.toggle("as-over", near && event.type === "dragover");
    if (near && event.type === "drop") upload(event.dataTransfer.files[0]);
    event.preventDefault();
  }

  const drags = ["dragover", "dragleave", "drop"];
  drags.forEach((name) => document.addEventListener(name, onDrag));
  canvas.addEventListener("pointerdown", drag);
  model.on("msg:custom", ({ type, at }) => type === "next" && acknowledge?.(at));
  el.append(root);
  watch(model, ["duration", "start", "length", "peaks"], () => show());
  model.send({ type: "hello" });
  // Its colours are those of the page, known once it is in it; they change with the theme.
  const resized = new ResizeObserver(() => show());
  resized.observe(canvas);
  const themed = new MutationObserver(() => show());
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  return () => {
    drags.forEach((name) => document.removeEventListener(name, onDrag));
    resized.disconnect();
    themed.disconnect();
  };
}

export default { render };
