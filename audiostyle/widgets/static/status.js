// A status line, a progress bar, and downloads.
const offered = new Set(); // one model may be shown several times, and a file is downloaded once

function render({ model, el }) {
  const label = model.get("label");
  const progress = node("progress", { max: 1, value: 0, "aria-label": `${label}: progress` });
  const line = node("div", { class: "as-status", role: "status", "aria-live": "polite" });
  const show = () => {
    const [value, failed] = [model.get("progress"), model.get("kind") === "error"];
    line.classList.toggle("as-error", failed);
    setText(line, (failed ? "⚠ " : "") + model.get("text"));
    progress.classList.toggle("as-idle", value === null);
    if (value === null || value < 0) progress.removeAttribute("value");
    else progress.value = value;
  };
  watch(model, ["text", "kind", "progress"], show);
  model.on("msg:custom", (message, buffers) => {
    if (message.type !== "download" || offered.has(message.id)) return;
    offered.add(message.id);
    const url = URL.createObjectURL(new Blob([asBytes(buffers[0])]));
    node("a", { href: url, download: message.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  });
  el.append(node("div", { class: "as-widget as-said", role: "group", "aria-label": label }, progress, line));
  model.send({ type: "hello" });
}

export default { render };
