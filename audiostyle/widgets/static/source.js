// Choose a clip or a file, and cut it on its waveform. Files travel in pieces, each acknowledged, so that no limit
// on the size of a message applies and the page stays alive.
const PIECE = 1 << 20;

// A file that is dropped beside the cards goes to the nearest one; the browser would open it in place of the page.
function nearestCard(event) {
  const distance = (card) => {
    const box = card.getBoundingClientRect();
    const [x, y] = [Math.max(box.left, Math.min(event.clientX, box.right)), Math.max(box.top, Math.min(event.clientY, box.bottom))];
    return Math.hypot(event.clientX - x, event.clientY - y);
  };
  const shown = [...document.querySelectorAll(".as-source")].filter((card) => card.offsetParent);
  return shown.sort((a, b) => distance(a) - distance(b))[0];
}

function render({ model, el }) {
  const title = model.get("title");
  const root = node("section", { class: "as-widget as-source", "aria-label": title });
  const [clipId, startId, lengthId, pathId] = ["clip", "start", "length", "path"].map(newId);
  const select = node("select", { id: clipId, title: `Clip to use as ${title.toLowerCase()}`, onchange: () => put("clip", select.value) });
  const limits = `${model.get("formats")}; up to ${model.get("max_megabytes")} MB and ${model.get("max_minutes")} minutes`;
  const file = node("input", {
    type: "file", accept: model.get("suffixes").join(), "aria-label": `Upload a file as ${title.toLowerCase()}`,
    title: limits, onchange: () => { upload(file.files[0]); file.value = ""; },
  });
  const path = node("input", {
    type: "text", id: pathId, spellcheck: "false", title: "Path of a sound file on this computer; Enter opens it",
    onchange: () => { if (path.value.trim()) model.send({ type: "path", path: path.value.trim() }); },
  });
  const canvas = node("canvas", { class: "as-wave", width: 1200, height: 168, role: "img", title: "Drag the marked part, or its ends" });
  const status = node("div", { class: "as-status", role: "status", "aria-live": "polite" });
  const progress = node("progress", { class: "as-idle", max: 1, value: 0, "aria-label": `${title}: upload` });
  const start = slider(startId, "start", "Start of the cut in seconds");
  const length = slider(lengthId, "length", "Length of the cut in seconds");
  const startOut = node("output", { for: startId });
  const lengthOut = node("output", { for: lengthId });
  let sending = null;

  function slider(id, name, tooltip) {
    return node("input", {
      type: "range", id, min: 0, max: 1, step: 0.1, title: tooltip,
      oninput: () => preview(),
      onchange: () => put(name, Number(name === "start" ? start.value : length.value)),
    });
  }

  function put(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  function showClips() {
    const groups = new Map();
    for (const [value, text, group] of model.get("clips")) {
      if (!groups.has(group)) groups.set(group, node("optgroup", { label: group }));
      groups.get(group).append(node("option", { value }, text));
    }
    select.replaceChildren(...groups.values());
    select.value = model.get("clip");
  }

  function showCut() {
    const total = model.get("duration");
    length.min = Math.min(model.get("min_length"), total);
    length.max = Math.min(model.get("max_length"), total);
    start.max = Math.max(0, total - model.get("length"));
    start.value = model.get("start");
    length.value = model.get("length");
    start.disabled = total - model.get("length") < 0.05;
    preview();
  }

  function preview(from = Number(start.value), during = Number(length.value)) {
    setText(startOut, seconds(from));
    setText(lengthOut, seconds(during));
    canvas.setAttribute("aria-label", `${title}: waveform of ${seconds(model.get("duration"))}, cut from ${seconds(from)} for ${seconds(during)}`);
    draw(from, during);
  }

  function draw(from, during) {
    const bytes = asBytes(model.get("peaks"));
    const peaks = new Float32Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 4));
    const { width, height } = canvas;
    const g = canvas.getContext("2d");
    const style = getComputedStyle(root);
    const total = Math.max(model.get("duration"), 1e-6);
    const [x0, x1] = [(from / total) * width, (Math.min(total, from + during) / total) * width];
    g.clearRect(0, 0, width, height);
    g.fillStyle = style.getPropertyValue("--as-shade");
    g.fillRect(x0, 0, x1 - x0, height);
    const columns = peaks.length / 2;
    const loudest = Math.max(1e-6, ...peaks.map(Math.abs));
    for (let i = 0; i < columns; i++) {
      const x = ((i + 0.5) / columns) * width;
      const [low, high] = [peaks[2 * i] / loudest, peaks[2 * i + 1] / loudest];
      const inside = x >= x0 && x <= x1;
      g.fillStyle = style.getPropertyValue(inside ? "--as-accent" : "--as-line");
      const top = height / 2 - high * height * 0.46;
      g.fillRect(x, top, Math.max(1, width / columns - 0.5), Math.max(1, (high - low) * height * 0.46));
    }
    // The ends are marked by lines with handles, not by colour alone.
    g.fillStyle = style.getPropertyValue("--as-text");
    for (const x of [x0, x1]) {
      const at = Math.min(width - 3, Math.max(0, x - 1.5));
      g.fillRect(at, 0, 3, height);
      g.fillRect(Math.min(width - 11, Math.max(0, x - 5.5)), height / 2 - 14, 11, 28);
    }
  }

  function drag(event) {
    if (event.button > 0 || model.get("duration") <= 0) return;
    const total = model.get("duration");
    const box = canvas.getBoundingClientRect();
    const time = (e) => ((e.clientX - box.left) / box.width) * total;
    const [from, during] = [Number(start.value), Number(length.value)];
    const reach = (14 / box.width) * total;
    const grabbed = time(event);
    const nearStart = Math.abs(grabbed - from);
    const nearEnd = Math.abs(grabbed - from - during);
    const mode = nearEnd < reach && nearEnd <= nearStart ? "end" : nearStart < reach ? "start" : "move";
    const inside = grabbed >= from && grabbed <= from + during;
    const anchor = inside ? grabbed - from : during / 2;
    const clamp = (x, low, high) => Math.min(high, Math.max(low, Math.round(x * 10) / 10));
    let cut = [from, during];
    const move = (e) => {
      const t = time(e);
      if (mode === "end") cut = [from, clamp(t - from, Number(length.min), Math.min(Number(length.max), total - from))];
      else if (mode === "start") {
        const end = from + during;
        const at = clamp(t, Math.max(0, end - Number(length.max)), end - Number(length.min));
        cut = [at, end - at];
      } else cut = [clamp(t - anchor, 0, Math.max(0, total - during)), during];
      preview(...cut);
    };
    canvas.setPointerCapture(event.pointerId);
    if (!inside && mode === "move") move(event);
    canvas.onpointermove = move;
    canvas.onpointerup = canvas.onpointercancel = () => {
      canvas.onpointermove = canvas.onpointerup = canvas.onpointercancel = null;
      model.set("length", cut[1]);
      model.set("start", cut[0]);
      model.save_changes();
      showCut();
    };
  }

  function say(text, kind) {
    status.classList.toggle("as-error", kind === "error");
    setText(status, (kind === "error" ? "⚠ " : "") + text);
  }

  function upload(chosen) {
    if (!chosen) return;
    if (chosen.size > model.get("max_megabytes") * 1e6) {
      say(`${chosen.name} has ${(chosen.size / 1e6).toFixed(0)} MB; at most ${model.get("max_megabytes")} MB are taken. Cut it first.`, "error");
      return;
    }
    sending = { file: chosen, id: newId("upload"), sent: 0 };
    say(`Uploading ${chosen.name}…`, "info");
    model.send({ type: "upload", id: sending.id, name: chosen.name, size: chosen.size });
  }

  async function onMessage(message) {
    if (message.type !== "next" || message.id !== sending?.id) return;
    const { file: chosen, sent, id } = sending;
    progress.classList.toggle("as-idle", message.done);
    progress.value = chosen.size ? sent / chosen.size : 1;
    if (message.done) {
      sending = null;
      return;
    }
    const piece = await chosen.slice(sent, sent + PIECE).arrayBuffer().catch(() => null);
    if (sending?.id !== id) return;
    if (!piece) {
      sending = null;
      progress.classList.add("as-idle");
      say(`${chosen.name} cannot be read; a folder, or a file that is gone?`, "error");
      return;
    }
    sending.sent += piece.byteLength;
    model.send({ type: "piece", id }, undefined, [piece]);
  }

  canvas.addEventListener("pointerdown", drag);
  // Every card listens on the whole page, and the nearest one takes the file.
  function onDrag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    const near = event.type !== "dragleave" && nearestCard(event) === root;
    root.classList.toggle("as-over", near && event.type === "dragover");
    if (near && event.type === "drop") upload(event.dataTransfer.files[0]);
    event.preventDefault();
  }
  const drags = ["dragover", "dragleave", "drop"];
  model.on("change:clips", showClips);
  model.on("change:clip", showClips);
  for (const name of ["duration", "start", "length", "peaks"]) model.on(`change:${name}`, showCut);
  const showStatus = () => say(model.get("status"), model.get("status_kind"));
  model.on("change:status", showStatus);
  model.on("change:status_kind", showStatus);
  model.on("msg:custom", onMessage);
  root.append(
    node("div", { class: "as-row as-choose" },
      node("h3", {}, node("label", { for: clipId }, title)), select,
      node("span", { class: "as-file" }, "Upload…", file)),
    canvas,
    node("div", { class: "as-row" },
      node("div", { class: "as-field" }, node("label", { for: startId }, "Start", startOut), start),
      node("div", { class: "as-field" }, node("label", { for: lengthId }, "Length", lengthOut), length)),
    progress, status,
    node("details", { class: "as-fold" }, node("summary", {}, "Formats, or a path on this computer"),
      node("p", { class: "as-hint" }, `${limits}. A file may be dropped anywhere on the page; the nearer card takes it.`),
      node("div", { class: "as-field" }, node("label", { for: pathId }, "Path"), path)));
  el.append(root);
  model.send({ type: "hello" });
  drags.forEach((name) => document.addEventListener(name, onDrag));
  showClips();
  showCut();
  showStatus();
  // Its colours are those of the page, known once it is in it; they change with the theme.
  const watcher = new ResizeObserver(() => preview());
  watcher.observe(canvas);
  const endTheme = onTheme(() => preview());
  return () => {
    drags.forEach((name) => document.removeEventListener(name, onDrag));
    watcher.disconnect();
    endTheme();
  };
}

export default { render };
