// One player for several sounds: switching keeps the position and leaves no gap, because all sources run at once
// and only their gains change.
const FADE = 0.008;
const LEVEL = 0.08;
const PEAK = 0.98;

function render({ model, el }) {
  const slots = model.get("slots");
  const listening = slots.map((slot, i) => (slot.listen ? i : -1)).filter((i) => i >= 0);
  const root = node("div", { class: "as-widget as-player", role: "group", "aria-label": model.get("label") });
  const buffers = slots.map(() => null);
  const urls = slots.map(() => null);
  let context = null;
  let sources = [];
  let gains = [];
  let startedAt = 0;
  let offset = 0;
  let playing = false;
  let frame = 0;

  // With a name, the button that plays is elsewhere on the page (form.js).
  const name = model.get("remote");
  const play = node("button", { type: "button", class: "as-play as-primary", title: "Play or pause (key: space)", onclick: toggle }, "▶ Play");
  const tracks = node("div", { class: "as-tracks", role: "group", "aria-label": "Which sound is heard" });
  const clock = node("span", { class: "as-clock" });
  const loopId = newId("loop");
  const loop = node("input", { type: "checkbox", id: loopId, checked: true, title: "Start again at the end" });
  const seek = node("input", {
    type: "range", class: "as-seek", min: 0, max: 1, step: 0.01, value: 0,
    "aria-label": "Position in seconds", title: "Position; the arrow keys move it",
    oninput: (e) => jump(Number(e.target.value)),
  });
  const panels = node("div", { class: "as-panels" });
  const heads = [];
  const buttons = slots.map((slot, i) => {
    if (!slot.listen) return null;
    const button = node("button", {
      type: "button", title: `Hear ${slot.heading} (key: ${listening.indexOf(i) + 1})`, "aria-pressed": "false",
      onclick: () => hear(i),
    }, `${listening.indexOf(i) + 1} ${slot.heading}`);
    tracks.append(button);
    return button;
  });
  const figures = slots.map((slot, i) => (model.get("pictures") ? panel(slot, i) : null));

  function mark(axis, f, share) {
    axis.append(node("span", { style: `bottom:${Math.min(94, Math.max(6, 100 * share))}%` }, `${f}`));
  }

  function panel(slot, i) {
    const plot = node("div", { class: "as-plot", onpointerdown: (e) => point(e, i) });
    const image = node("img", { alt: "", hidden: true });
    const empty = node("span", { class: "as-empty" }, slot.empty ?? "");
    const head = node("div", { class: "as-head" });
    const khz = node("div", { class: "as-khz", "aria-hidden": "true" });
    const top = model.get("max_khz");
    const bottom = model.get("min_khz");
    if (bottom) {
      // A logarithmic axis, with a mark at every octave.
      for (let f = 0.125; f <= top; f *= 2) mark(khz, f, Math.log(f / bottom) / Math.log(top / bottom));
    } else {
      for (let f = 0; f <= top; f += 2) mark(khz, f, f / top);
    }
    const ticks = node("div", { class: "as-ticks", "aria-hidden": "true" });
    const note = node("span", { class: "as-note" });
    const stale = node("span", { class: "as-stale-mark", hidden: true }, "out of date");
    const heard = slot.listen ? node("span", { class: "as-heard" }, "◀ heard") : null;
    plot.append(image, empty, stale, head);
    heads.push(head);
    const classes = ["as-panel", slot.listen ? "" : "as-silent", slot.first ? "as-first" : ""];
    const figure = node("figure", { class: classes.join(" ") },
      node("figcaption", {}, node("span", {}, slot.heading, note), heard),
      node("div", { class: "as-axes" }, khz, plot, ticks));
    panels.append(figure);
    return { figure, plot, image, empty, ticks, note, stale };
  }

  const data = (i) => model.get(`slot${i}`);
  const duration = () => Math.max(0.1, ...slots.map((_, i) => data(i).duration ?? 0));
  const heardNow = () => model.get("heard");

  function position() {
    if (!playing) return offset;
    return Math.min(duration(), offset + Math.max(0, context.currentTime - startedAt));
  }

  function commonGains() {
    // One loudness for all, lowered together until none clips.
    const wanted = slots.map((_, i) => LEVEL / Math.max(data(i).rms ?? 1, 1e-6));
    const peak = Math.max(...slots.map((_, i) => (data(i).peak ?? 0) * wanted[i]), 1e-6);
    return wanted.map((gain) => gain * Math.min(1, PEAK / peak));
  }

  async function decode(i) {
    const bytes = data(i).audio;
    if (!bytes || bytes.byteLength === 0) {
      buffers[i] = null;
    } else {
      // At the sound's own rate, so that no sample is changed.
      const decoder = new OfflineAudioContext(1, 1, data(i).sr);
      const decoded = await decoder.decodeAudioData(asBytes(bytes).buffer);
      if (data(i).audio !== bytes) return;
      buffers[i] = decoded;
    }
    if (playing) restart(position());
    showButtons();
  }

  function stopSources() {
    for (const source of sources) source?.stop();
    for (const gain of gains) gain?.disconnect();
    sources = [];
    gains = [];
  }

  function restart(at) {
    stopSources();
    const now = context.currentTime + 0.02;
    const level = commonGains();
    slots.forEach((slot, i) => {
      if (!buffers[i] || !slot.listen || at >= buffers[i].duration) return;
      const source = context.createBufferSource();
      const gain = context.createGain();
      source.buffer = buffers[i];
      gain.gain.value = i === heardNow() ? level[i] : 0;
      source.connect(gain).connect(context.destination);
      source.start(now, at);
      sources[i] = source;
      gains[i] = gain;
    });
    startedAt = now;
    offset = at;
  }

  async function toggle() {
    if (playing) return pause();
    if (!listening.some((i) => buffers[i])) return;
    context ??= new AudioContext();
    await context.resume();
    if (offset >= duration() - 0.05) offset = 0;
    playing = true;
    restart(offset);
    showPlaying();
    tick();
  }

  function pause() {
    offset = position();
    playing = false;
    stopSources();
    cancelAnimationFrame(frame);
    showPlaying();
    showPosition();
  }

  function showPlaying() {
    const ready = listening.some((i) => buffers[i]);
    play.disabled = !ready;
    setText(play, playing ? "⏸ Pause" : "▶ Play");
    root.dataset.playing = String(playing);
    if (name) document.dispatchEvent(new CustomEvent("audiostyle-state", { detail: { player: name, playing, ready } }));
  }

  function tick() {
    if (!playing) return;
    if (position() >= duration() - 0.005) {
      if (!loop.checked) {
        pause();
        return;
      }
      restart(0);
    }
    showPosition();
    frame = requestAnimationFrame(tick);
  }

  function jump(to) {
    const at = Math.min(duration(), Math.max(0, to));
    if (playing) restart(at);
    else offset = at;
    showPosition();
  }

  function hear(i) {
    if (!buttons[i] || buttons[i].disabled) return;
    model.set("heard", i);
    model.save_changes();
    showHeard();
  }

  function showHeard() {
    const now = heardNow();
    buttons.forEach((button, i) => button?.setAttribute("aria-pressed", String(i === now)));
    figures.forEach((f, i) => f?.figure.classList.toggle("as-on", i === now));
    if (!playing) return;
    const level = commonGains();
    gains.forEach((gain, i) => {
      gain?.gain.setTargetAtTime(i === now ? level[i] : 0, context.currentTime, FADE);
    });
  }

  function point(event, i) {
    if (event.button > 0) return;
    const box = event.currentTarget.getBoundingClientRect();
    if (slots[i].listen) hear(i);
    jump(((event.clientX - box.left) / box.width) * duration());
  }

  function showPosition() {
    const at = position();
    const total = duration();
    for (const head of heads) head.style.left = `${(100 * at) / total}%`;
    seek.max = total;
    seek.value = at;
    seek.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${total.toFixed(1)} seconds`);
    clock.textContent = `${at.toFixed(1)} / ${total.toFixed(1)} s`;
  }

  function showButtons() {
    buttons.forEach((button, i) => button && (button.disabled = !buffers[i]));
    showPlaying();
  }

  function showStale() {
    const stale = new Set(model.get("stale"));
    figures.forEach((f, i) => {
      if (!f) return;
      f.stale.hidden = !stale.has(i);
      f.plot.classList.toggle("as-stale", stale.has(i));
    });
  }

  function showTicks() {
    const total = duration();
    const step = [0.5, 1, 2, 5, 10, 20, 60].find((s) => total / s <= 5.01) ?? 120;
    for (const f of figures.filter(Boolean)) {
      f.ticks.replaceChildren();
      for (let t = 0; t <= total + 1e-6; t += step) {
        const last = t + step > total + 1e-6;
        f.ticks.append(node("span", { style: `left:${(100 * t) / total}%` }, last ? `${+t.toFixed(1)} s` : `${+t.toFixed(1)}`));
      }
    }
  }

  function showSlot(i) {
    const { image: bytes, note = "", alt = "" } = data(i);
    const f = figures[i];
    if (f) {
      if (urls[i]) URL.revokeObjectURL(urls[i]);
      // The site gives addresses, Python gives bytes.
      if (typeof bytes === "string") urls[i] = bytes;
      else urls[i] = bytes?.byteLength ? URL.createObjectURL(new Blob([asBytes(bytes)], { type: "image/png" })) : null;
      f.image.hidden = urls[i] === null;
      f.empty.hidden = urls[i] !== null;
      if (urls[i]) f.image.src = urls[i];
      else f.image.removeAttribute("src");
      f.image.alt = alt;
      setText(f.note, note);
      f.note.title = note;
    }
    figures.forEach((g, j) => g && (g.image.style.width = `${(100 * (data(j).duration ?? 0)) / duration()}%`));
    showTicks();
    showPosition();
    return decode(i).catch(() => setText(clock, "this browser cannot decode the sound"));
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = ["SELECT", "TEXTAREA"].includes(event.target.tagName);
    const button = event.target.tagName === "BUTTON" || event.target.type === "checkbox";
    if (event.key === " " && !button && !typing) toggle();
    else if (/^[1-9]$/.test(event.key) && listening[event.key - 1] !== undefined) hear(listening[event.key - 1]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  root.append(
    node("div", { class: "as-bar" }, name ? null : play, tracks, clock,
      node("span", { class: "as-loop" }, loop, node("label", { for: loopId, title: "Start again at the end" }, "Loop"))),
    seek);
  if (model.get("pictures")) {
    root.append(panels, node("div", { class: "as-scales" }, ...model.get("scales").map((s) =>
      node("span", { class: "as-scale" }, s.low, node("i", { style: `background:linear-gradient(to right,${s.colours.join(",")})` }), s.high))));
  }
  const axes = model.get("pictures") ? "Across: seconds; up: kHz. A click in a picture moves there. " : "";
  root.append(node("div", { class: "as-keys" }, `${axes}Keys, with the focus in the player: space plays and pauses, the digits switch the sound, the arrows on the slider move. All sounds are matched in loudness.`));
  root.addEventListener("keydown", onKey);
  slots.forEach((_, i) => model.on(`change:slot${i}`, () => showSlot(i)));
  model.on("change:heard", showHeard);
  model.on("change:stale", showStale);
  const onToggle = ({ detail }) => detail.player === name && toggle();
  const onAsk = ({ detail }) => detail.player === name && showPlaying();
  if (name) {
    document.addEventListener("audiostyle-toggle", onToggle);
    document.addEventListener("audiostyle-ask", onAsk);
  }
  showButtons();
  showHeard();
  showStale();
  slots.forEach((_, i) => showSlot(i));
  // What is in the buffers, for tests: a number that changes with any sample.
  root.audiostyle = {
    position,
    fingerprint: (i) => buffers[i]?.getChannelData(0).reduce((sum, x, n) => sum + x * ((n % 97) + 1), 0) ?? null,
    level: () => gains.map((gain) => gain?.gain.value ?? null),
  };
  el.append(root);
  model.send({ type: "hello" });
  return () => {
    document.removeEventListener("audiostyle-toggle", onToggle);
    document.removeEventListener("audiostyle-ask", onAsk);
    cancelAnimationFrame(frame);
    playing = false;
    stopSources();
    context?.close();
    urls.forEach((url) => url && URL.revokeObjectURL(url));
  };
}

export default { render };
