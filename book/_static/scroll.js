/* What scrolls in its own box (wide code and tables, figures on a phone) can be reached and scrolled by keyboard. */
function reach() {
  for (const box of document.querySelectorAll(".bd-content :is(pre, figure, .text_html)")) {
    const hides = box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";
    if (hides) box.tabIndex = 0;
    else if (box.tabIndex === 0) box.removeAttribute("tabindex");
  }
}

addEventListener("load", reach);
addEventListener("resize", reach);
addEventListener("toggle", reach, true); // of a fold, whose event does not bubble
