// Labelled native controls, a status line, a progress bar and downloads.
function render({ model, el }) {
  const root = node("div", { class: "as-widget as-form", role: "group", "aria-label": model.get("label") });
  const fields = node("div", { class: "as-fields" });
  const buttons = node("div", { class: "as-buttons" });
  const progress = node("progress", { max: 1, value: 0, "aria-label": `${model.get("label")}: progress` });
  const status = node("div", { class: "as-status", role: "status", "aria-live": "polite" });
  const downloads = node("div", { class: "as-downloads", "aria-live": "polite" });
  const controls = {};
  const urls = [];

  function commit(name, value) {
    model.set("values", { ...model.get("values"), [name]: value });
    model.save_changes();
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
      oninput: (e) => readout(spec, Number(e.target.value)),
      onchange: (e) => {
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
    for (const spec of model.get("fields")) {
      if (spec.kind === "button") {
        const button = node("button", {
          type: "button", name: spec.name, title: spec.tooltip, class: spec.primary ? "as-primary" : "",
          onclick: () => model.send({ type: "press", name: spec.name }),
        }, spec.label);
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
    if (focused) controls[focused]?.input.focus();
  }

  function showValues() {
    const values = model.get("values");
    for (const { input, spec } of Object.values(controls)) {
      if (spec.kind === "button" || !(spec.name in values)) continue;
      input.value = values[spec.name];
      readout(spec, Number(values[spec.name]));
    }
  }

  function showDisabled() {
    const disabled = new Set(model.get("disabled"));
    for (const [name, { input }] of Object.entries(controls)) {
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
    if (message.type !== "download") return;
    const url = URL.createObjectURL(new Blob([asBytes(buffers[0])], { type: message.mime }));
    urls.push(url);
    if (message.first) downloads.replaceChildren();
    downloads.append(node("a", { href: url, download: message.name }, `Download ${message.name}`));
  }

  model.on("change:fields", build);
  model.on("change:values", showValues);
  model.on("change:disabled", showDisabled);
  for (const name of ["status", "status_kind", "progress"]) model.on(`change:${name}`, showStatus);
  model.on("msg:custom", onMessage);
  build();
  showStatus();
  root.append(fields);
  if (buttons.children.length) root.append(buttons);
  if (model.get("has_status")) root.append(progress, status);
  if (model.get("has_downloads")) root.append(downloads);
  el.append(root);
  return () => urls.forEach((url) => URL.revokeObjectURL(url));
}

export default { render };
