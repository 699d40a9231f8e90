// One player for several sounds: switching keeps the position and leaves no gap, because all sources run at once
// and only their gains change.
const FADE = 0.008;
const LEVEL = 0.08;
const PEAK = 0.98;

function render({ model, el }) {
  const slots = model.get("slots");
  const listening = slots.flatMap((slot, i) => (slot.listen ? [i] : []));
  const root = node("div", { class: "as-widget as-player", role: "group", "aria-label": model.get("label") });
  const buffers = slots.map(() => null);
  const urls = slots.map(() => null);
  const data = (i) => model.get(`slot${i}`);
  const duration = () => Math.max(0.1, ...slots.map((_, i) => data(i).duration ?? 0));
  let context = null;
  let sources = [];
  let gains = [];
  let startedAt = 0;
  let offset = 0;
  let playing = false;
  let frame = 0;

  // A button elsewhere on the page may play: sound must start within the click that asks for it.
  const remote = model.get("remote");
  const play = node("button", { type: "button", class: "as-play as-primary", title: "Play or pause (key: space)", onclick: toggle }, "▶ Play");
  const clock = node("span", { class: "as-clock" });
  const loop = node("input", { type: "checkbox", id: newId("loop"), checked: true, title: "Start again at the end" });
  const seek = node("input", {
    type: "range", class: "as-seek", min: 0, max: 1, step: 0.01, value: 0,
    "aria-label": "Position in seconds", title: "Position; the arrow keys move it",
    oninput: (e) => jump(Number(e.target.value)),
  });
  const buttons = slots.map((slot, i) => {
    if (!slot.listen) return null;
    const key = listening.indexOf(i) + 1;
    const title = `Hear ${slot.heading} (key: ${key})`;
    return node("button", { type: "button", title, "aria-pressed": "false", onclick: () => hear(i) }, `${key} ${slot.heading}`);
  });
  const figures = model.get("pictures") ? slots.map(panel) : [];

  function panel(slot, i) {
    const parts = {
      image: node("img", { alt: "", hidden: true }), empty: node("span", { class: "as-empty" }, `${slot.heading} will appear here.`),
      stale: node("span", { class: "as-stale-mark", hidden: true }, "out of date"), head: node("div", { class: "as-head" }),
      note: node("span", { class: "as-note" }), ticks: node("div", { class: "as-ticks", "aria-hidden": "true" }),
    };
    parts.plot = node("div", { class: "as-plot", onpointerdown: (e) => point(e, i) }, parts.image, parts.empty, parts.stale, parts.head);
    const khz = node("div", { class: "as-khz", "aria-hidden": "true" });
    const [bottom, top] = [model.get("min_khz"), model.get("max_khz")];
    // Of a logarithmic axis every octave is marked.
    for (let f = bottom ? 0.125 : 0; f <= top; f = bottom ? 2 * f : f + 2) {
      const share = bottom ? Math.log(f / bottom) / Math.log(top / bottom) : f / top;
      khz.append(node("span", { style: `bottom:${Math.min(94, Math.max(6, 100 * share))}%` }, `${f}`));
    }
    const heard = slot.listen ? node("span", { class: "as-heard" }, "◀ heard") : null;
    const figure = node("figure", { class: slot.heading === "Result" ? "as-panel as-first" : "as-panel" },
      node("figcaption", {}, node("span", {}, slot.heading, parts.note), heard),
      node("div", { class: "as-axes" }, khz, parts.plot, parts.ticks));
    return { figure, ...parts };
  }

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
    const { audio, sr } = data(i);
    // At the sound's own rate, so that no sample is changed.
    const decoded = audio?.byteLength ? await new OfflineAudioContext(1, 1, sr).decodeAudioData(asBytes(audio).buffer) : null;
    if (data(i).audio !== audio) return;
    buffers[i] = decoded;
    if (playing) restart(position());
    showButtons();
  }

  function stopSources() {
    for (const source of sources) source?.stop();
    for (const gain of gains) gain?.disconnect();
    [sources, gains] = [[], []];
  }

  function restart(at) {
    stopSources();
    [startedAt, offset] = [context.currentTime + 0.02, at];
    const level = commonGains();
    for (const i of listening) {
      if (!buffers[i] || at >= buffers[i].duration) continue;
      sources[i] = context.createBufferSource();
      sources[i].buffer = buffers[i];
      gains[i] = context.createGain();
      gains[i].gain.value = i === model.get("heard") ? level[i] : 0;
      sources[i].connect(gains[i]).connect(context.destination);
      sources[i].start(startedAt, at);
    }
  }

  async function toggle() {
    if (playing) return pause();
    if (!listening.some((i) => buffers[i])) return;
    context ??= new AudioContext();
    await context.resume();
    playing = true;
    restart(offset >= duration() - 0.05 ? 0 : offset);
    showButtons();
    tick();
  }

  function pause() {
    offset = position();
    playing = false;
    stopSources();
    cancelAnimationFrame(frame);
    showButtons();
    showPosition();
  }

  function tick() {
    if (!playing) return;
    if (position() >= duration() - 0.005) {
      if (!loop.checked) return pause();
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

  function point(event, i) {
    if (event.button > 0) return;
    const box = event.currentTarget.getBoundingClientRect();
    hear(i);
    jump(((event.clientX - box.left) / box.width) * duration());
  }

  function showHeard() {
    const now = model.get("heard");
    buttons.forEach((button, i) => button?.setAttribute("aria-pressed", String(i === now)));
    figures.forEach((f, i) => f.figure.classList.toggle("as-on", i === now));
    const level = commonGains();
    gains.forEach((gain, i) => gain?.gain.setTargetAtTime(i === now ? level[i] : 0, context.currentTime, FADE));
  }

  function showPosition() {
    const [at, total] = [position(), duration()];
    for (const { head } of figures) head.style.left = `${(100 * at) / total}%`;
    seek.max = total;
    seek.value = at;
    seek.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${total.toFixed(1)} seconds`);
    clock.textContent = `${at.toFixed(1)} / ${total.toFixed(1)} s`;
  }

  function showButtons() {
    buttons.forEach((button, i) => button && (button.disabled = !buffers[i]));
    play.disabled = !listening.some((i) => buffers[i]);
    for (const button of [play, ...(remote ? document.getElementsByClassName(remote) : [])]) {
      setText(button, playing ? "⏸ Pause" : "▶ Play");
    }
    root.dataset.playing = String(playing);
  }

  function showStale() {
    figures.forEach((f, i) => {
      f.stale.hidden = !model.get("stale")?.includes(i);
      f.plot.classList.toggle("as-stale", !f.stale.hidden);
    });
  }

  function showTicks() {
    const total = duration();
    const step = [0.5, 1, 2, 5, 10, 20, 60].find((s) => total / s <= 5.01) ?? 120;
    figures.forEach((f, i) => {
      f.image.style.width = `${(100 * (data(i).duration ?? 0)) / total}%`;
      f.ticks.replaceChildren();
      for (let t = 0; t <= total + 1e-6; t += step) {
        const unit = t + step > total + 1e-6 ? " s" : "";
        f.ticks.append(node("span", { style: `left:${(100 * t) / total}%` }, `${+t.toFixed(1)}${unit}`));
      }
    });
  }

  function showSlot(i) {
    const { image, note = "", alt = "" } = data(i);
    if (figures[i]) {
      const f = figures[i];
      if (urls[i]) URL.revokeObjectURL(urls[i]);
      // The site gives addresses, Python gives bytes.
      urls[i] = image?.byteLength ? URL.createObjectURL(new Blob([asBytes(image)], { type: "image/png" })) : null;
      const address = typeof image === "string" ? image : urls[i];
      f.image.hidden = !address;
      f.empty.hidden = Boolean(address);
      if (address) f.image.src = address;
      else f.image.removeAttribute("src");
      f.image.alt = alt;
      setText(f.note, note);
    }
    showTicks();
    showPosition();
    return decode(i).catch(() => setText(clock, "this browser cannot decode the sound"));
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const pressed = event.target.tagName === "BUTTON" || event.target.type === "checkbox";
    if (event.key === " " && !pressed) toggle();
    else if (/^[1-9]$/.test(event.key) && listening[event.key - 1] !== undefined) hear(listening[event.key - 1]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  root.append(
    node("div", { class: "as-bar" }, remote ? null : play,
      node("div", { class: "as-tracks", role: "group", "aria-label": "Which sound is heard" }, ...buttons.filter(Boolean)), clock,
      node("span", { class: "as-loop" }, loop, node("label", { for: loop.id, title: loop.title }, "Loop"))),
    seek);
  if (figures.length) {
    root.append(node("div", { class: "as-panels" }, ...figures.map((f) => f.figure)), node("div", { class: "as-scales" }, ...model.get("scales").map((s) =>
      node("span", { class: "as-scale" }, s.low, node("i", { style: `background:linear-gradient(to right,${s.colours.join(",")})` }), s.high))));
  }
  const axes = figures.length ? "Across: seconds; up: kHz. A click in a picture moves there. " : "";
  root.append(node("div", { class: "as-keys" }, `${axes}Keys, with the focus in the player: space plays and pauses, the digits switch the sound, the arrows on the slider move. All sounds are matched in loudness.`));
  root.addEventListener("keydown", onKey);
  const onClick = ({ target }) => remote && target.closest(`.${remote}`) && toggle();
  document.addEventListener("click", onClick);
  showButtons();
  watch(model, ["heard"], showHeard);
  watch(model, ["stale"], showStale);
  slots.forEach((_, i) => watch(model, [`slot${i}`], () => showSlot(i)));
  // What is in the buffers, for tests: a number that changes with any sample.
  root.audiostyle = {
    position,
    fingerprint: (i) => buffers[i]?.getChannelData(0).reduce((sum, x, n) => sum + x * ((n % 97) + 1), 0) ?? null,
    level: () => gains.map((gain) => gain?.gain.value ?? null),
  };
  el.append(root);
  model.send({ type: "hello" });
  return () => {
    document.removeEventListener("click", onClick);
    cancelAnimationFrame(frame);
    playing = false;
    stopSources();
    context?.close();
    urls.forEach((url) => url && URL.revokeObjectURL(url));
  };
}

export default { render };
