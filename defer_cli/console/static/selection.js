// Rows that are ticked: how many, all of the page at once.
const boxes = () => [...document.querySelectorAll("input[data-pick]")];

function count() {
  const all = boxes();
  const picked = all.filter((box) => box.checked).length;
  for (const bar of document.querySelectorAll("[data-picked]")) bar.textContent = picked ? `${picked} selected` : "None selected";
  for (const whole of document.querySelectorAll("input[data-pick-all]")) {
    whole.hidden = false;
    whole.checked = picked > 0 && picked === all.length;
    whole.indeterminate = picked > 0 && picked < all.length;
  }
  for (const button of document.querySelectorAll("[data-needs-pick]")) button.disabled = picked === 0;
}

export function bindSelection() {
  if (!document.querySelector("[data-picked]")) return;
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick-all]")) for (const box of boxes()) box.checked = event.target.checked;
    count();
  });
  document.addEventListener("defer:changed", count);
  count();
}
