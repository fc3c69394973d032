// Buttons that copy. On plain http there is no clipboard to write to, so the old way is the other way.
import { say } from "./saying.js";

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const holder = document.createElement("textarea");
    holder.value = text;
    holder.className = "skip";
    document.body.append(holder);
    holder.select();
    const done = document.execCommand("copy");
    holder.remove();
    if (!done) throw new Error("nothing was copied");
  }
}

function textOf(button) {
  const from = button.dataset.copyFrom;
  if (!from) return button.dataset.copy;
  return [...document.querySelectorAll(`${from} .log-text`)].map((cell) => cell.textContent).join("\n");
}

export function bindCopies() {
  reveal(document);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (!button) return;
    const label = button.textContent;
    try {
      await copy(textOf(button));
      button.textContent = "Copied";
      say("Copied");
    } catch {
      button.textContent = "Not copied";
      say("It could not be copied");
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  });
}

export function reveal(root) {
  for (const button of root.querySelectorAll("[data-copy], [data-copy-from]")) button.hidden = false;
}
