// Utterances on a plane: the shape tells training from test, letters and lines the rest; colour is extra.
const COLOURS = ["#1b6ca8", "#c8553d", "#3d7a4b", "#7b4ea3", "#9a6b00", "#00797a", "#b0307a", "#4f5d75", "#8a3b12", "#2f4b9b"];

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function render({ model, el }) {
  const root = node("div", { class: "as-widget as-map" });

  function show() {
    const points = model.get("points");
    const [query, near] = [model.get("query"), model.get("neighbours")];
    const speakers = [...new Set(points.map((p) => p.speaker))];
    const [width, height] = model.get("size");
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": model.get("description") });
    for (const { x: x2, y: y2 } of near.map((i) => points[i])) {
      const { x: x1, y: y1 } = points[query];
      picture.append(svg("line", { x1, y1, x2, y2, class: "as-ink", "stroke-dasharray": "4 3" }));
    }
    // A label that could not stand at its place is tied to it.
    for (const { x, y, to_x, to_y } of model.get("labels")) {
      if (Math.hypot(x - to_x, y - to_y) > 24) picture.append(svg("line", { x1: x, y1: y, x2: to_x, y2: to_y, class: "as-tie" }));
    }
    points.forEach((p, i) => {
      const { x, y } = p;
      const colour = COLOURS[speakers.indexOf(p.speaker) % COLOURS.length];
      const shared = { fill: p.test ? colour : "var(--as-back)", stroke: colour, "stroke-width": 1.6, class: p.test ? "as-point" : "" };
      const shape = p.test
        ? svg("circle", { cx: x, cy: y, r: 5, ...shared, onclick: () => { model.set("query", i); model.save_changes(); } })
        : svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8, ...shared });
      shape.append(svg("title", {}, p.label));
      picture.append(shape);
      if (p.wrong) picture.append(svg("path", { d: `M${x - 8} ${y - 8}L${x + 8} ${y + 8}M${x - 8} ${y + 8}L${x + 8} ${y - 8}`, stroke: "var(--as-error)", "stroke-width": 1.4, "pointer-events": "none" }));
    });
    for (const { x: cx, y: cy } of [query, ...near].map((i) => points[i])) {
      picture.append(svg("circle", { cx, cy, r: 10, fill: "none", class: "as-ink", "stroke-width": 2, "pointer-events": "none" }));
    }
    for (const { text, x, y } of model.get("labels")) picture.append(svg("text", { x, y }, text));
    root.replaceChildren(picture, node("div", { class: "as-keys" },
      "□ training, ● test, × named wrongly, ? the utterance chosen, 1–3 its nearest neighbours. Choose in the list above, or click a ●."));
  }

  for (const name of ["points", "query", "neighbours", "labels"]) model.on(`change:${name}`, show);
  show();
  el.append(root);
  model.send({ type: "hello" });
}

export default { render };
