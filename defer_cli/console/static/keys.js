// Keys: pages, rows, the filter, a rerun. Not while somebody writes.
const PAGES = { o: "/", f: "/functions", e: "/executions" };
let led = 0;

const rows = () => [...document.querySelectorAll("tr[data-row]")];
const here = () => document.querySelector("tr.here");

function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(here());
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  here()?.classList.remove("here");
  next.classList.add("here");
  next.querySelector(".row-link")?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function isWriting(target) {
  return target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

function press(event) {
  const key = event.key;
  if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return false;
  if (document.querySelector("dialog[open]") && key !== "?") return false;
  if (Date.now() - led < 1500 && PAGES[key]) { location.href = PAGES[key]; return true; }
  led = 0;
  if (key === "g") { led = Date.now(); return true; }
  if (key === "j" || key === "k") { step(key === "j" ? 1 : -1); return true; }
  if (key === "x") { here()?.querySelector("input[type=checkbox]")?.click(); return Boolean(here()); }
  if (key === "/") {
    const field = document.querySelector("[data-filter]");
    if (field) { field.closest("details")?.setAttribute("open", ""); field.focus(); }
    else location.href = "/executions?focus=filter";
    return true;
  }
  if (key === "r") {
    const button = here()?.querySelector("[data-rerun]") ?? document.querySelector("[data-key=r]");
    button?.click();
    return Boolean(button);
  }
  if (key === "?") {
    const dialog = document.getElementById("keys");
    if (dialog.open) dialog.close(); else dialog.showModal();
    return true;
  }
  if (key === " " && event.target === document.body) { document.dispatchEvent(new Event("defer:flip")); return true; }
  return false;
}

export function bindKeys() {
  document.addEventListener("keydown", (event) => { if (press(event)) event.preventDefault(); });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("tr[data-row]");
    if (row && row !== here()) { here()?.classList.remove("here"); row.classList.add("here"); }
  });
  const help = document.querySelector("[data-help]");
  help.hidden = false;
  help.addEventListener("click", () => document.getElementById("keys").showModal());
  if (new URLSearchParams(location.search).get("focus") === "filter") document.querySelector("[data-filter]")?.focus();
}
