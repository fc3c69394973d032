// One line for who listens instead of looking: not more often than every few seconds.
const PAUSE = 4000;
let last = 0;
let timer = null;

export function say(text) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    last = Date.now();
    document.getElementById("said").textContent = text;
  }, Math.max(0, last + PAUSE - Date.now()));
}
