// Code to copy, one block for each language.
function render({ model, el }) {
  const root = node("div", { class: "as-widget as-code" });

  function block({ heading, code }) {
    const said = node("span", { role: "status", "aria-live": "polite" });
    const pre = node("pre", { tabindex: "0", "aria-label": `${heading} equivalent` }, code);
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(code);
        said.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(pre);
        said.textContent = "selected: copy with Ctrl+C";
      }
    };
    const button = node("button", { type: "button", title: `Copy the ${heading} equivalent`, onclick: copy }, `Copy ${heading}`);
    return node("div", {}, node("header", {}, node("span", {}, heading), said, button), pre);
  }

  const show = () => root.replaceChildren(...model.get("snippets").map(block));
  model.on("change:snippets", show);
  show();
  el.append(root);
  model.send({ type: "hello" });
}

export default { render };
