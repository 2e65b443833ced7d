// The quarantine works without this: it ticks all at once, and puts the cursor where the error is.

const all = document.querySelector("[data-tick-all]");
const each = [...document.querySelectorAll("[data-tick]")];
if (all) {
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of each) box.checked = all.checked;
  });
  for (const box of each) {
    box.addEventListener("change", () => {
      all.checked = each.every(({ checked }) => checked);
      all.indeterminate = !all.checked && each.some(({ checked }) => checked);
    });
  }
}

const editor = document.querySelector("textarea[data-start]");
if (editor) {
  // The server counts characters, the browser UTF-16 units.
  const characters = [...editor.value];
  const units = (count) => characters.slice(0, count).join("").length;
  editor.focus({ preventScroll: true });
  editor.setSelectionRange(units(Number(editor.dataset.start)), units(Number(editor.dataset.end)));
}
