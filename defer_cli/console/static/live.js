// One stream of events a tab: parts that have changed, and the lines of a log. None while paused, or while hidden.
import { reveal } from "./copying.js";
import { morph } from "./morph.js";
import { say } from "./saying.js";
import { tellTimes } from "./times.js";

const MOST_LINES = 10000;
let address = document.body.dataset.live;
let stream = null;
let paused = false;
let atRest = false;

const toggle = document.querySelector("[data-live-toggle]");

function show(state, word) {
  if (!toggle) return;
  toggle.classList.toggle("on", state === "on");
  toggle.classList.toggle("lost", state === "lost");
  toggle.setAttribute("aria-pressed", String(paused));
  toggle.querySelector("[data-live-word]").textContent = word;
}

// Where to go on when the stream is opened anew: what the last event has told.
function keepPlace(id) {
  const url = new URL(address, location.href);
  const [digest, seen] = id.split("~");
  url.searchParams.set("live", digest);
  if (seen !== undefined) url.searchParams.set("seen", seen);
  address = url.pathname + url.search;
}

function append(html) {
  const lines = document.getElementById("log-lines");
  const box = lines?.closest(".log");
  if (!lines) return;
  const holder = document.createElement("template");
  holder.innerHTML = html;
  lines.append(holder.content);
  while (lines.rows.length > MOST_LINES) lines.deleteRow(0);
  if (document.querySelector("[data-follow]")?.checked) box.scrollTop = box.scrollHeight;
}

function take(event) {
  if (document.querySelector("[data-until-changed]")) { location.reload(); return; } // another page is due
  const told = JSON.parse(event.data);
  for (const [id, html] of Object.entries(told.parts)) {
    const element = document.getElementById(id);
    if (!element) continue;
    morph(element, html);
    reveal(element);
    tellTimes(element);
    for (const note of element.querySelectorAll("[data-say]")) say(note.dataset.say);
  }
  if (told.log) append(told.log);
  document.dispatchEvent(new Event("defer:changed"));
  keepPlace(event.lastEventId);
}

function close() {
  stream?.close();
  stream = null;
}

function open() {
  if (stream || paused || atRest || document.hidden) return;
  stream = new EventSource(address);
  stream.addEventListener("open", () => show("on", "Live"));
  stream.addEventListener("look", take);
  stream.addEventListener("rest", () => { atRest = true; close(); show("", "Ended"); });
  stream.addEventListener("error", () => {
    show("lost", "Reconnecting");
    if (stream?.readyState === EventSource.CLOSED) { // refused: signed out, or too many
      close();
      setTimeout(open, 5000);
    }
  });
}

function flip() {
  paused = !paused;
  if (paused) { close(); show("", "Paused"); say("Live updates are paused"); }
  else { open(); show("on", "Live"); say("Live updates go on"); }
}

export function follow() {
  const box = document.querySelector(".log");
  const tick = document.querySelector("[data-follow]");
  if (box && tick) {
    document.querySelector("[data-follow-label]").hidden = false;
    box.scrollTop = box.scrollHeight;
    box.addEventListener("scroll", () => {
      tick.checked = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    }, { passive: true });
  }
  if (!address) return;
  if (toggle) { toggle.hidden = false; toggle.addEventListener("click", flip); }
  document.addEventListener("defer:flip", flip);
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
