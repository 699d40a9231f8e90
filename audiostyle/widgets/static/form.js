// Labelled native controls, a status line, a progress bar and downloads.
const LIVE = 150; // milliseconds without a movement after which a live slider says where it stands
const offered = new Set(); // one model may be shown several times, and a file is downloaded once

function render({ model, el }) {
  const root = node("div", { class: "as-widget as-form", role: "group", "aria-label": model.get("label") });
  const fields = node("div", { class: "as-fields" });
  const buttons = node("div", { class: "as-buttons" });
  const progress = node("progress", { max: 1, value: 0, "aria-label": `${model.get("label")}: progress` });
  const status = node("div", { class: "as-status", role: "status", "aria-live": "polite" });
  const controls = {};
  let waiting = null;
  let held = null; // the slider that is being moved, which what comes back of its earlier places must not move

  // One value and not all of them: those at hand may be older than what was chosen a moment ago.
  function commit(name, value) {
    model.send({ type: "set", name, value });
  }

  function control(spec, id) {
    const shared = { id, name: spec.name, title: spec.tooltip };
    if (spec.kind === "select") {
      return node("select", { ...shared, onchange: (e) => commit(spec.name, e.target.value) });
    }
    if (spec.kind === "text") {
      return node("input", { ...shared, type: "text", spellcheck: "false", onchange: (e) => commit(spec.name, e.target.value) });
    }
    const limits = { min: spec.min, max: spec.max, step: spec.step };
    const type = spec.kind === "range" ? "range" : "number";
    return node("input", {
      ...shared, ...limits, type,
      oninput: (e) => {
        held = spec.name;
        readout(spec, Number(e.target.value));
        if (!spec.live) return;
        clearTimeout(waiting);
        waiting = setTimeout(() => {
          held = null;
          commit(spec.name, Number(e.target.value));
        }, LIVE);
      },
      onchange: (e) => {
        clearTimeout(waiting);
        held = null;
        // Cleared or outside its limits: the nearest allowed value, shown.
        const wanted = e.target.value === "" ? model.get("values")[spec.name] : Number(e.target.value);
        const value = Math.min(spec.max, Math.max(spec.min, wanted));
        e.target.value = value;
        commit(spec.name, value);
      },
    });
  }

  function readout(spec, value) {
    const { output, input } = controls[spec.name];
    if (!output) return;
    const digits = Math.max(0, -Math.floor(Math.log10(spec.step) + 1e-9));
    setText(output, `${value.toFixed(digits)}${spec.unit ? " " + spec.unit : ""}`);
    if (spec.ends) {
      input.setAttribute("aria-valuetext", `${value.toFixed(digits)}, 0 ${spec.ends[0]}, 1 ${spec.ends[1]}`);
    }
  }

  function build() {
    const focused = root.contains(document.activeElement) ? document.activeElement.name : null;
    fields.replaceChildren();
    buttons.replaceChildren();
    held = null;
    for (const spec of model.get("fields")) {
      if (spec.kind === "button") {
        const button = node("button", {
          type: "button", name: spec.name, title: spec.tooltip, class: spec.primary ? "as-primary" : "",
          onclick: () => (spec.player ? tellPlayer("toggle", spec.player) : model.send({ type: "press", name: spec.name })),
        }, spec.label);
        if (spec.player) button.disabled = true;
        buttons.append(button);
        controls[spec.name] = { input: button, spec };
        continue;
      }
      const id = newId(spec.name);
      const input = control(spec, id);
      const output = spec.kind === "range" ? node("output", { for: id }) : null;
      const label = node("label", { for: id, title: spec.tooltip }, node("span", {}, spec.label), output);
      const ends = spec.ends
        ? node("div", { class: "as-ends", "aria-hidden": "true" }, ...spec.ends.map((end) => node("span", {}, end)))
        : null;
      const classes = ["as-field", spec.wide ? "as-wide" : ""].join(" ");
      fields.append(node("div", { class: classes }, label, input, ends));
      controls[spec.name] = { input, output, spec };
      if (spec.kind === "select") {
        input.replaceChildren(...spec.options.map(([value, text]) => node("option", { value }, text)));
      }
    }
    showValues();
    showDisabled();
    for (const { spec } of Object.values(controls)) if (spec.player) tellPlayer("ask", spec.player);
    if (focused) controls[focused]?.input.focus();
  }

  function showValues() {
    const values = model.get("values");
    for (const { input, spec } of Object.values(controls)) {
      if (spec.kind === "button" || spec.name === held || !(spec.name in values)) continue;
      input.value = values[spec.name];
      readout(spec, Number(values[spec.name]));
    }
  }

  function showDisabled() {
    const disabled = new Set(model.get("disabled"));
    for (const [name, { input, spec }] of Object.entries(controls)) {
      if (spec.player) continue;
      const lost = !input.disabled && disabled.has(name) && document.activeElement === input;
      input.disabled = disabled.has(name);
      // The focus would fall to the page when its button greys out; give it to the neighbour that is alive.
      if (lost) (buttons.querySelector("button:not(:disabled)") ?? fields.querySelector("input,select"))?.focus();
    }
  }

  function showStatus() {
    const kind = model.get("status_kind");
    status.classList.toggle("as-error", kind === "error");
    setText(status, (kind === "error" ? "⚠ " : "") + model.get("status"));
    const value = model.get("progress");
    progress.classList.toggle("as-idle", value === null);
    if (value === null || value < 0) progress.removeAttribute("value");
    else progress.value = value;
  }

  function onMessage(message, buffers) {
    if (message.type !== "download" || offered.has(message.id)) return;
    offered.add(message.id);
    const url = URL.createObjectURL(new Blob([asBytes(buffers[0])], { type: message.mime }));
    node("a", { href: url, download: message.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  // A player elsewhere on the page is told, and tells, by events: sound starts within the click that asks for it.
  const tellPlayer = (type, player) => document.dispatchEvent(new CustomEvent(`audiostyle-${type}`, { detail: { player } }));

  function onPlayer({ detail }) {
    for (const { input, spec } of Object.values(controls)) {
      if (!spec.player || spec.player !== detail.player) continue;
      input.disabled = !detail.ready;
      setText(input, detail.playing ? "⏸ Pause" : spec.label);
    }
  }

  model.on("change:fields", build);
  model.on("change:values", showValues);
  model.on("change:disabled", showDisabled);
  for (const name of ["status", "status_kind", "progress"]) model.on(`change:${name}`, showStatus);
  model.on("msg:custom", onMessage);
  document.addEventListener("audiostyle-state", onPlayer);
  build();
  showStatus();
  const parts = [fields, ...(buttons.children.length ? [buttons] : [])];
  if (model.get("strip")) {
    // One row that stays in view while the page scrolls.
    el.classList.add("as-sticky");
    root.append(node("div", { class: "as-strip" }, ...parts));
  } else if (model.get("fold")) {
    root.append(node("details", { class: "as-fold" }, node("summary", {}, model.get("fold")), ...parts));
  } else root.append(...parts);
  if (model.get("has_status")) root.append(progress, status);
  el.append(root);
  model.send({ type: "hello" });
  return () => {
    clearTimeout(waiting);
    document.removeEventListener("audiostyle-state", onPlayer);
  };
}

export default { render };
