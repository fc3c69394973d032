// Moments as distances from now, and spans that still grow.
const STEPS = [[86400, "d", 3600, "h"], [3600, "h", 60, "m"], [60, "m", 1, "s"]];

export function span(seconds) {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds)} s`;
  for (const [size, unit, small, smallUnit] of STEPS) {
    if (seconds >= size) {
      const rest = Math.floor((seconds % size) / small);
      return `${Math.floor(seconds / size)}${unit}${rest ? ` ${rest}${smallUnit}` : ""}`;
    }
  }
}

function distance(seconds) {
  const far = Math.abs(seconds);
  if (far < 1) return "now";
  const words = far < 60 ? `${Math.floor(far)} s` : span(far);
  return seconds < 0 ? `${words} ago` : `in ${words}`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function tellTimes(root) {
  const now = Date.now();
  for (const one of root.querySelectorAll("time[data-ago]")) put(one, distance((Date.parse(one.dateTime) - now) / 1000));
  for (const one of root.querySelectorAll("time[data-since]")) put(one, span((now - Date.parse(one.dateTime)) / 1000));
}
