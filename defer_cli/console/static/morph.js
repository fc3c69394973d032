// New HTML into an element that is there: what is the same stays, with its focus, its selection and its ticks.
const KEEP = new Set(["open", "hidden"]);

function keyOf(node) {
  return node.nodeType === 1 ? node.id || node.dataset.row || "" : "";
}

function isAlike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
}

function sameAttributes(from, to) {
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !KEEP.has(name) && !(name === "class" && from.classList.contains("here"))) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (KEEP.has(name) || from.getAttribute(name) === value) continue;
    const here = name === "class" && from.classList.contains("here");
    from.setAttribute(name, value);
    if (here) from.classList.add("here");
  }
}

function isTold(node) {
  return node.nodeName === "TIME" && (node.hasAttribute("data-ago") || node.hasAttribute("data-since"));
}

// A row that is ticked stays until it is let go, whatever comes above it.
function isPicked(node) {
  return node.nodeName === "TR" && node.querySelector("[data-pick]:checked");
}

function same(from, to) {
  if (from.nodeType !== 1) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  sameAttributes(from, to);
  if (isTold(to) || from.nodeName === "TEXTAREA") return;
  children(from, to);
}

function children(from, to) {
  const byKey = new Map();
  for (const node of from.childNodes) if (keyOf(node)) byKey.set(keyOf(node), node);
  let at = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = keyOf(wanted);
    const known = key ? byKey.get(key) : at && isAlike(at, wanted) ? at : null;
    if (known && isAlike(known, wanted)) {
      if (known === at) at = at.nextSibling;
      else from.insertBefore(known, at);
      same(known, wanted);
    } else {
      from.insertBefore(wanted, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    if (!isPicked(at)) at.remove();
    at = next;
  }
}

export function morph(element, html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  children(element, holder.content);
}
