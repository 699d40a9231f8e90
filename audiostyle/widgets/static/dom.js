// Helpers that come before each of the other files: elements, ids, times, bytes.
let counter = 0;
const newId = (name) => `audiostyle-${name}-${Date.now().toString(36)}-${++counter}`;

function node(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function setText(element, text) {
  // A live region that is written again with the same words would be read aloud again.
  if (element.textContent !== text) element.textContent = text;
}

function asBytes(view) {
  // A DataView over a larger buffer; decoders want exactly the part.
  if (!view) return new Uint8Array();
  return new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength).slice();
}

function watch(model, names, show) {
  for (const name of names) model.on(`change:${name}`, show);
  show();
}

const seconds = (value) => `${value.toFixed(1)} s`;
