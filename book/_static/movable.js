/* Figures that move: draws the live figure in the place of its still, once Plotly is there.
   The still stands on the page without JavaScript, where drawing fails, and in print (book.css). */
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

async function draw(figure) {
  const place = figure.querySelector(".movable-live");
  const text = place.querySelector("script").textContent;
  const live = JSON.parse(text, (key, value) => (calm && key === "transition" ? { duration: 0 } : value));
  live.layout.font = { family: getComputedStyle(figure).fontFamily, ...live.layout.font };
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", figure.querySelector("img").alt);
  figure.classList.add("is-live"); // before drawing, because Plotly measures the place
  await Plotly.newPlot(place, live);
  await Plotly.relayout(place, liftedButtons(place, live.layout.updatemenus ?? []));
}

/* Buttons stand above the legend, and how many lines that takes depends on the width of the screen. */
function liftedButtons(place, menus) {
  const legend = place.querySelector(".legend");
  const room = 12 + (legend ? legend.getBoundingClientRect().height : 0);
  const free = menus.map((menu, number) => [`updatemenus[${number}].pad.b`, room]);
  return Object.fromEntries(free.filter((_, number) => !menus[number].pad && menus[number].y === undefined));
}

for (const figure of document.querySelectorAll("figure.movable")) {
  draw(figure).catch((reason) => {
    figure.classList.remove("is-live");
    console.error("A live figure could not be drawn, its still is shown:", reason);
  });
}
