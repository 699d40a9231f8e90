// A slider that reports its value once it rests.
const REST = 150; // milliseconds

function render({ model, el }) {
  const id = newId("slider");
  const output = node("output", { for: id });
  let waiting = null;
  const report = () => {
    clearTimeout(waiting);
    waiting = null;
    model.set("value", Number(input.value));
    model.save_changes();
  };
  const input = node("input", {
    type: "range", id, min: 0, max: 1, step: model.get("step"), title: model.get("tooltip"), onchange: report,
    oninput: () => {
      clearTimeout(waiting);
      waiting = setTimeout(report, REST);
      readout();
    },
  });
  const readout = () => {
    setText(output, Number(input.value).toFixed(2));
    input.setAttribute("aria-valuetext", `${output.textContent}, 0 content, 1 style`);
  };
  const root = node("div", { class: "as-widget as-slider" },
    node("label", { for: id, title: model.get("tooltip") }, node("span", {}, model.get("description")), output), input,
    node("div", { class: "as-ends", "aria-hidden": "true" }, node("span", {}, "content"), node("span", {}, "style")));
  watch(model, ["value"], () => {
    // What comes back of its earlier places must not move a slider that is being moved.
    if (waiting === null) input.value = model.get("value");
    readout();
  });
  el.append(root);
  model.send({ type: "hello" });
  return () => clearTimeout(waiting);
}

export default { render };
