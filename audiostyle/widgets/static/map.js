// Utterances on a plane: the shape tells training from test, letters and lines the rest; colour is extra.
const COLOURS = ["#1b6ca8", "#c8553d", "#3d7a4b", "#7b4ea3", "#9a6b00", "#00797a", "#b0307a", "#4f5d75", "#8a3b12", "#2f4b9b"];
const [WIDTH, HEIGHT, EDGE] = [640, 420, 34];

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
    const range = (key) => [Math.min(...points.map((p) => p[key])), Math.max(...points.map((p) => p[key]))];
    const [[x0, x1], [y0, y1]] = [range("x"), range("y")];
    const at = (p) => [
      EDGE + ((p.x - x0) / (x1 - x0 || 1)) * (WIDTH - 2 * EDGE),
      HEIGHT - EDGE - ((p.y - y0) / (y1 - y0 || 1)) * (HEIGHT - 2 * EDGE),
    ];
    const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": model.get("description") });
    for (const i of near) {
      const [[ax, ay], [bx, by]] = [at(points[query]), at(points[i])];
      picture.append(svg("line", { x1: ax, y1: ay, x2: bx, y2: by, stroke: "#222", "stroke-dasharray": "4 3" }));
    }
    points.forEach((p, i) => {
      const [x, y] = at(p);
      const colour = COLOURS[speakers.indexOf(p.speaker) % COLOURS.length];
      const shared = { fill: p.test ? colour : "#fff", stroke: colour, "stroke-width": 1.6, class: p.test ? "as-point" : "" };
      const shape = p.test
        ? svg("circle", { cx: x, cy: y, r: 5, ...shared, onclick: () => { model.set("query", i); model.save_changes(); } })
        : svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8, ...shared });
      shape.append(svg("title", {}, p.label));
      picture.append(shape);
      if (p.wrong) picture.append(svg("path", { d: `M${x - 8} ${y - 8}L${x + 8} ${y + 8}M${x - 8} ${y + 8}L${x + 8} ${y - 8}`, stroke: "#a3160b", "stroke-width": 1.4, "pointer-events": "none" }));
    });
    for (const speaker of speakers) {
      const own = points.filter((p) => p.speaker === speaker).map(at);
      const mean = (k) => own.reduce((sum, p) => sum + p[k], 0) / own.length;
      picture.append(svg("text", { x: mean(0), y: mean(1) - 9, "text-anchor": "middle", stroke: "#fff", "stroke-width": 3, "paint-order": "stroke", style: "font-weight:700;font-size:11px" }, speaker));
    }
    const mark = (i, letter) => {
      const [x, y] = at(points[i]);
      picture.append(svg("circle", { cx: x, cy: y, r: 10, fill: "none", stroke: "#000", "stroke-width": 2, "pointer-events": "none" }));
      picture.append(svg("text", { x: x + 12, y: y + 4, stroke: "#fff", "stroke-width": 3, "paint-order": "stroke", style: "font-weight:700;font-size:12px" }, letter));
    };
    near.forEach((i, k) => mark(i, `${k + 1}`));
    mark(query, "?");
    root.replaceChildren(picture, node("div", { class: "as-keys" },
      "□ training, ● test, × named wrongly, ? the utterance chosen, 1–3 its nearest neighbours. Choose in the list above, or click a ●."));
  }

  for (const name of ["points", "query", "neighbours"]) model.on(`change:${name}`, show);
  show();
  el.append(root);
}

export default { render };
