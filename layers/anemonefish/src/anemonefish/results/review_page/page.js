// The page of a review: shows the clips, takes verdicts by key or button, keeps them in the browser, saves them as a CSV.
// The page has no dependencies and loads nothing but its clips. All texts are in texts.json; data come from review_html.py.
"use strict";

/**
 * @typedef {{clip: string, sound: string, image: string, recording: string, begins: number, seconds: number,
 *   start: number, stop: number, low: number, high: number, score: string, stratum: string, cells: string}} Clip
 * @typedef {{verdict: string, calls: string, markStart: string, markStop: string, judgedAt: string}} Answer
 */

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const texts = read("texts");
/** @type {{review: string, label: string, classes: string[], header: string, clips: Clip[]}} */
const data = read("data");
const $ = (id) => document.getElementById(id);
const KEY = `anemonefish-review/${data.review}`;
const EMPTY = { verdict: "", calls: "", markStart: "", markStop: "", judgedAt: "" };

/** Return a text with its placeholders filled. It is always put into the page as text, never as HTML. */
const say = (name, values = {}) => texts[name].replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
const seconds = (value) => value.toFixed(2);

let reviewer = "";
let at = 0;
/** @type {Record<string, Answer>} */
let answers = {};
let keeps = true;
let file = null;
let unsaved = false;
let zoom = 1;

// Keeping verdicts: one entry per review and reviewer in localStorage.

function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    keeps = false;
    return null;
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    keeps = false;
  }
}

function recallAnswers() {
  try {
    return JSON.parse(recall(`${KEY}/${reviewer}`) || "{}");
  } catch {
    return {};
  }
}

const answerOf = (index) => answers[data.clips[index].clip] || EMPTY;
const isJudged = (index) => Boolean(answerOf(index).verdict);
const judgedCount = () => data.clips.filter((_, index) => isJudged(index)).length;

function answer(change) {
  const now = { ...answerOf(at), ...change };
  now.judgedAt = now.verdict ? new Date().toISOString() : "";
  answers[data.clips[at].clip] = now;
  remember(`${KEY}/${reviewer}`, JSON.stringify(answers));
  unsaved = true;
  $("saved").textContent = "";
  if (file) void writeFile();
  show();
}

// The table. The cells of the draw were made by the program that made the page; the reviewer's own are cleaned here, so
// that no spreadsheet takes them for a formula.

const cleaned = (text) => text.replace(/[\p{C};\u2028\u2029]+/gu, " ").replace(/^[^\p{L}\p{N}]+/u, "").trim().slice(0, 60);
const cell = (text) => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function table() {
  const rows = data.clips.map((clip, index) => {
    const { verdict, calls, markStart, markStop, judgedAt } = answerOf(index);
    const own = verdict ? [verdict, calls, markStart, markStop, reviewer, judgedAt] : ["", "", "", "", "", ""];
    return `${clip.cells},${own.map(cell).join(",")}\n`;
  });
  return `${data.header}\n${rows.join("")}`;
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.download = "verdicts.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  unsaved = false;
  $("saved").textContent = say("downloaded", { judged: judgedCount() });
}

async function saveTo() {
  try {
    file = await window.showSaveFilePicker({ suggestedName: "verdicts.csv", types: [{ accept: { "text/csv": [".csv"] } }] });
  } catch (error) {
    if (error.name !== "AbortError") $("saved").textContent = say("saveFailed", { reason: error.message });
    return;
  }
  await writeFile();
}

async function writeFile() {
  try {
    const stream = await file.createWritable();
    await stream.write(table());
    await stream.close();
    unsaved = false;
    $("saved").textContent = say("savedTo", { name: file.name });
  } catch (error) {
    file = null;
    $("saved").textContent = say("saveFailed", { reason: error.message });
  }
}

// Verdicts.

function judge(verdict, calls = "") {
  const marks = verdict === "no" ? { markStart: "", markStop: "" } : {};
  answer({ verdict, calls, ...marks });
  if (at < data.clips.length - 1) go(at + 1);
}

function setOther() {
  const name = cleaned($("other-class").value);
  if (!name) return;
  $("other-class").value = "";
  openOther(false);
  judge(`other:${name}`);
}

function openOther(open) {
  if (!open && $("other-form").contains(document.activeElement)) $("position").focus();
  $("other-form").hidden = !open;
  $("other").setAttribute("aria-expanded", String(open));
  if (open) $("other-class").focus();
}

function setCalls() {
  const value = $("calls").value;
  if (/^[1-9]\d{0,2}$/.test(value)) answer({ verdict: "yes", calls: value });
  else if (answerOf(at).verdict === "yes") answer({ calls: "" });
}

function mark(start, stop) {
  const clip = data.clips[at];
  const [low, high] = [start, stop].map((value) => Math.min(Math.max(value, clip.begins), clip.begins + clip.seconds));
  if (high - low < 0.005) return;
  answer({ markStart: low.toFixed(6), markStop: high.toFixed(6) });
}

function markEdge(edge) {
  const clip = data.clips[at];
  const now = clip.begins + $("audio").currentTime;
  const { markStart, markStop } = answerOf(at);
  if (edge === "begin") mark(now, Math.max(Number(markStop) || clip.stop, now + 0.01));
  else mark(Math.min(Number(markStart) || clip.start, now - 0.01), now);
}

// What is shown.

function go(index) {
  at = Math.min(Math.max(index, 0), data.clips.length - 1);
  remember(`${KEY}/${reviewer}/at`, String(at));
  openOther(false);
  const clip = data.clips[at];
  $("missing").hidden = true;
  $("audio").src = clip.sound;
  $("image").src = clip.image;
  $("playhead").style.left = "0";
  drawAxes(clip);
  if (at + 1 < data.clips.length) new Image().src = data.clips[at + 1].image;
  show();
}

const fraction = (clip, time) => `${((time - clip.begins) / clip.seconds) * 100}%`;

function place(element, clip, start, stop) {
  element.style.left = fraction(clip, start);
  element.style.width = `${((stop - start) / clip.seconds) * 100}%`;
}

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, number) => {
    const value = (first + number) * step;
    return { value, text: value.toFixed(Math.max(0, -Math.floor(Math.log10(step)))) };
  });
}

function drawAxes(clip) {
  $("times").replaceChildren(...ticks(clip.begins, clip.begins + clip.seconds, 6).map(({ value, text }) => {
    const label = document.createElement("span");
    label.textContent = text;
    label.style.left = fraction(clip, value);
    return label;
  }));
  const high = clip.low + (clip.high - clip.low) / zoom;
  $("image").style.height = `${zoom * 100}%`; // it stands on the lower edge, so the lowest frequencies stay
  $("frequencies").replaceChildren(...ticks(Math.max(clip.low, 0), high, 4).map(({ value, text }) => {
    const label = document.createElement("span");
    label.textContent = text;
    label.style.bottom = `${((value - clip.low) / (high - clip.low)) * 100}%`;
    return label;
  }));
  place($("stretch"), clip, clip.start, clip.stop);
}

function show() {
  const clip = data.clips[at];
  const { verdict, calls, markStart, markStop } = answerOf(at);
  const number = at + 1;
  const times = { start: seconds(clip.start), stop: seconds(clip.stop) };
  $("position").textContent = say("position", { number, total: data.clips.length });
  $("question").textContent = say("question", { class: data.label });
  $("progress").textContent = say("progress", { judged: judgedCount(), total: data.clips.length });
  $("bar").max = data.clips.length;
  $("bar").value = judgedCount();
  $("image").alt = say("spectrogram", { number, ...times, clipStart: seconds(clip.begins),
    clipStop: seconds(clip.begins + clip.seconds), low: Math.max(0, clip.low).toFixed(0),
    high: (clip.low + (clip.high - clip.low) / zoom).toFixed(0) });
  $("audio").setAttribute("aria-label", say("audio", { number }));
  for (const id of ["yes", "no", "unsure"]) $(id).setAttribute("aria-pressed", String(verdict === id));
  $("other").setAttribute("aria-pressed", String(verdict.startsWith("other:")));
  const named = verdict.startsWith("other:") ? verdict.slice(6) : verdict && texts[verdict];
  const counted = calls ? say(calls === "1" ? "verdictCall" : "verdictCalls", { verdict: named, calls }) : named;
  $("verdict").textContent = verdict ? say("verdict", { verdict: counted }) : texts.verdictNone;
  if (document.activeElement !== $("calls")) $("calls").value = calls;
  $("mark").hidden = !markStart;
  $("mark-clear").disabled = !markStart;
  $("marked").textContent = markStart
    ? say("marked", { start: seconds(Number(markStart)), stop: seconds(Number(markStop)) }) : "";
  if (markStart) place($("mark"), clip, Number(markStart), Number(markStop));
  $("clear").disabled = !verdict && !markStart;
  $("previous").disabled = at === 0;
  $("next").disabled = at === data.clips.length - 1;
  $("where").textContent = say("where", { recording: clip.recording, ...times });
  $("score").textContent = $("show-score").checked ? say("score", { score: clip.score, stratum: clip.stratum }) : "";
  $("kept").textContent = keeps ? texts.kept : texts.notKept;
  if (judgedCount() === data.clips.length && !$("saved").textContent) $("saved").textContent = texts.done;
}

function begin(name) {
  reviewer = name;
  remember(KEY, name);
  answers = recallAnswers();
  $("who").hidden = true;
  $("review").hidden = false;
  $("change-name").textContent = say("changeName", { name });
  go(Number(recall(`${KEY}/${reviewer}/at`)) || 0);
  $("position").focus(); // the field of the name would take the next key
}

function askName() {
  $("audio").pause();
  $("review").hidden = true;
  $("who").hidden = false;
  $("name").value = reviewer;
  $("name").focus();
}

function nextOpen() {
  const order = data.clips.map((_, index) => (at + 1 + index) % data.clips.length);
  const open = order.find((index) => !isJudged(index));
  if (open !== undefined) go(open);
}

function play() {
  const audio = $("audio");
  if (audio.paused) void audio.play().catch(() => { $("missing").hidden = !audio.error; });
  else audio.pause();
}

function magnify() {
  zoom = zoom >= 8 ? 1 : zoom * 2;
  remember("anemonefish-review/zoom", String(zoom));
  drawAxes(data.clips[at]);
  show();
}

// Keys and pointers.

const KEYS = {
  y: () => judge("yes"),
  n: () => judge("no"),
  u: () => judge("unsure"),
  o: () => openOther(true),
  Backspace: () => answer(EMPTY),
  ArrowLeft: () => go(at - 1),
  ArrowRight: () => go(at + 1),
  " ": play,
  z: magnify,
  "[": () => markEdge("begin"),
  "]": () => markEdge("end"),
};

function onKey(event) {
  const typing = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
  if ($("review").hidden || typing || event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === "Escape") openOther(false);
    return;
  }
  // Space and arrows keep their meaning on controls that have one; the player has the same keys for itself.
  const control = event.target instanceof HTMLElement && event.target.matches("button, summary, input, audio");
  if (control && event.key === " ") return;
  if (event.target === $("audio") && event.key.startsWith("Arrow")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const action = /^[1-9]$/.test(key) ? () => judge("yes", key) : KEYS[key];
  if (!action) return;
  event.preventDefault();
  if (!event.repeat || key.startsWith("Arrow")) action();
}

function dragging() {
  const picture = $("picture");
  let from = null;
  const timeAt = (event) => {
    const box = picture.getBoundingClientRect();
    const clip = data.clips[at];
    return clip.begins + ((event.clientX - box.left) / box.width) * clip.seconds;
  };
  picture.addEventListener("pointerdown", (event) => {
    from = timeAt(event);
    picture.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  picture.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const [start, stop] = [from, timeAt(event)].sort((one, other) => one - other);
    $("mark").hidden = false;
    place($("mark"), data.clips[at], start, stop);
  });
  picture.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const [start, stop] = [from, timeAt(event)].sort((one, other) => one - other);
    from = null;
    if (stop - start >= 0.02) mark(start, stop);
    else {
      $("audio").currentTime = start - data.clips[at].begins; // a click moves the player
      show();
    }
  });
  picture.addEventListener("pointercancel", () => { from = null; show(); });
}

function animate() {
  const audio = $("audio");
  $("playhead").style.left = `${Math.min(1, audio.currentTime / data.clips[at].seconds) * 100}%`;
  requestAnimationFrame(animate);
}

function label(id, text, key) {
  const hint = document.createElement("kbd");
  hint.textContent = key;
  hint.setAttribute("aria-hidden", "true");
  $(id).replaceChildren(document.createTextNode(texts[text]), hint);
}

function start() {
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = texts[element.dataset.text];
  const keys = { yes: "Y", no: "N", unsure: "U", other: "O", previous: "←", next: "→", play: "␣", zoom: "Z" };
  for (const [id, key] of Object.entries(keys)) label(id, id, key);
  label("mark-begin", "markBegin", "[");
  label("mark-end", "markEnd", "]");
  $("classes").append(...data.classes.map((name) => Object.assign(document.createElement("option"), { value: name })));
  $("keys").append(...texts.keysList.flatMap(([key, meaning]) => {
    const [term, hint, description] = ["dt", "kbd", "dd"].map((name) => document.createElement(name));
    hint.textContent = key;
    term.append(hint);
    description.textContent = meaning;
    return [term, description];
  }));
  $("save-to").hidden = typeof window.showSaveFilePicker !== "function";
  const actions = { yes: KEYS.y, no: KEYS.n, unsure: KEYS.u, clear: KEYS.Backspace, previous: KEYS.ArrowLeft,
    next: KEYS.ArrowRight, play, download, zoom: magnify, "next-open": nextOpen, "save-to": () => void saveTo(), "change-name": askName,
    other: () => openOther($("other-form").hidden), "mark-begin": KEYS["["], "mark-end": KEYS["]"],
    "mark-clear": () => answer({ markStart: "", markStop: "" }) };
  for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
  $("other-form").addEventListener("submit", (event) => { event.preventDefault(); setOther(); });
  $("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = cleaned($("name").value);
    $("name-error").textContent = name ? "" : texts.nameMissing;
    if (name) begin(name);
  });
  $("calls").addEventListener("change", setCalls);
  $("show-score").addEventListener("change", show);
  $("audio").addEventListener("error", () => { $("missing").hidden = false; });
  document.addEventListener("keydown", onKey);
  window.addEventListener("beforeunload", (event) => { if (unsaved && !keeps) event.preventDefault(); });
  dragging();
  zoom = Number(recall("anemonefish-review/zoom")) || 1;
  const known = recall(KEY);
  if (known) begin(known);
  else $("name").focus();
  requestAnimationFrame(animate);
}

start();
