// Copies the text of the element that a button names. Everything else on these pages works without a script.
"use strict";

for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.querySelector("span");
  if (!source || !label) continue;
  const before = label.textContent;
  label.setAttribute("aria-live", "polite");
  button.hidden = false;
  button.addEventListener("click", async () => {
    let done = true;
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      // No permission, or an old browser: select it, so that Ctrl-C is all that is left to do.
      getSelection().selectAllChildren(source);
      done = document.execCommand("copy");
    }
    label.textContent = done ? "Copied" : "Press Ctrl-C";
    setTimeout(() => { label.textContent = before; }, 2000);
  });
}
