// Players of the page: the widget's own player (before this), with a stand-in for the model that a kernel would hold.
function stored(values) {
  const heard = {};
  return {
    get: (name) => values[name],
    set: (name, value) => { values[name] = value; },
    on: (event, callback) => { (heard[event] ??= []).push(callback); },
    tell: (name) => heard[`change:${name}`]?.forEach((callback) => callback()),
    save_changes: () => {},
    send: () => {},
  };
}

// Sound comes when a player comes near, so that the page is small and the first click plays.
async function load(model, section) {
  await Promise.all(model.get("slots").map(async (slot, i) => {
    const answer = await fetch(model.get(`slot${i}`).address);
    if (!answer.ok) throw new Error(`${answer.status}`);
    model.set(`slot${i}`, { ...model.get(`slot${i}`), audio: new Uint8Array(await answer.arrayBuffer()) });
    model.tell(`slot${i}`);
  })).catch(() => {
    // A page that is opened from the disk may show its files, but not read them.
    section.querySelector(".files").open = true;
    section.querySelector(".files .why").hidden = false;
  });
}

// One player at a time.
const onePlays = new MutationObserver((changes) => {
  for (const { target } of changes) {
    if (target.dataset.playing !== "true") continue;
    for (const other of document.querySelectorAll(".as-player[data-playing=true]")) {
      if (other !== target) other.querySelector(".as-play").click();
    }
  }
});

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    load(target.model, target.closest("section"));
  }
}, { rootMargin: "400px" });

for (const place of document.querySelectorAll(".player")) {
  place.model = stored(JSON.parse(place.querySelector("script").textContent));
  render({ model: place.model, el: place });
  onePlays.observe(place.querySelector(".as-player"), { attributeFilter: ["data-playing"] });
  near.observe(place);
}
