/* Figures that move: the live figure in the place of its still, with ordinary controls above it.
   Nothing happens until a figure comes near the screen; then Plotly's script is asked for, once a page. The still stands
   on the page without JavaScript, where drawing fails, and in print; a figure in three dimensions stays a still until
   its button is pressed. Controls are the figure's own menus and sliders, taken out of its layout. */
(() => {
  const here = document.currentScript.src;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const phone = matchMedia("(max-width: 600px)");
  const SOLID = /3d|surface|cone|tube|volume/; // kinds of traces that are drawn in three dimensions
  const [REACH, RISE, STEP] = [1.84, 1, 15]; // of the camera: as far as the book's style puts it, and degrees

  const later = self.requestIdleCallback ?? setTimeout; // Safari has no idle times
  const loaded = new Promise((go) => (document.readyState === "complete" ? go() : addEventListener("load", go)));
  const quiet = () => loaded.then(() => new Promise((go) => later(go)));

  let script; // Plotly's, once for all figures of the page
  const plotly = () =>
    (script ??= new Promise((done, failed) => {
      const element = make("script", { src: new URL("plotly.min.js", here) });
      Object.assign(element, { onload: done, onerror: () => failed(new Error("Plotly's script did not come")) });
      document.head.append(element);
    }));

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  /* Buttons of which one is pressed; where there is one alone it is pressed and let go (`args2`). */
  function buttons(menu, play) {
    const pressed = (button) => button.getAttribute("aria-pressed") === "true";
    const all = menu.buttons.map(({ label, method, args, args2 }, number) => {
      const button = make("button", { type: "button", "aria-pressed": number === (menu.active ?? 0) }, label);
      button.addEventListener("click", () => {
        const on = menu.buttons.length > 1 || !pressed(button);
        for (const one of all) one.setAttribute("aria-pressed", on && one === button);
        play({ method, args: on ? args : args2 ?? args });
      });
      return button;
    });
    return make("fieldset", {}, make("legend", {}, menu.name ?? "Show"), ...all);
  }

  function list(menu, play) {
    const select = make("select", {}, ...menu.buttons.map(({ label }) => make("option", {}, label)));
    select.selectedIndex = menu.active ?? 0;
    select.addEventListener("change", () => play(menu.buttons[select.selectedIndex]));
    return make("label", {}, menu.name ?? "Show", select);
  }

  function slider({ name, currentvalue, steps, active = 0 }, play) {
    const bar = make("input", { type: "range", min: 0, max: steps.length - 1, value: active });
    const told = make("output", { "aria-live": "off" }); // the slider itself says its value
    const tell = () => bar.setAttribute("aria-valuetext", (told.textContent = steps[bar.value].label));
    let frame; // a pointer asks faster than Plotly draws: what it asked last counts
    bar.addEventListener("input", () => {
      tell();
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => play(steps[bar.value]));
    });
    tell();
    const words = name ?? currentvalue?.prefix?.replace(/[\s:]+$/, "") ?? "Step";
    return make("div", {}, make("label", {}, words, bar), told);
  }

  /* The camera's way round all scenes of a figure, as one more slider. */
  function turning(data) {
    const scenes = new Set(data.filter(({ type }) => SOLID.test(type)).map(({ scene }) => scene ?? "scene"));
    const steps = Array.from({ length: 360 / STEP + 1 }, (_, step) => {
      const angle = (step * STEP * Math.PI) / 180;
      const eye = { x: REACH * Math.cos(angle), y: REACH * Math.sin(angle), z: RISE };
      const args = [Object.fromEntries([...scenes].map((scene) => [`${scene}.camera.eye`, eye]))];
      return { label: `${step * STEP}°`, method: "relayout", args };
    });
    return { name: "Turn", steps, active: 45 / STEP };
  }

  /* What the screen needs, as the figure gives it by path, and the layout with it. */
  const shape = ({ meta }) => meta?.[phone.matches ? "narrow" : "wide"] ?? {};
  function fitted(layout) {
    for (const [path, value] of Object.entries(shape(layout))) {
      const names = path.split(/[.[\]]+/);
      const last = names.pop();
      names.reduce((part, name) => (part[name] ??= {}), layout)[last] = value;
    }
    return layout;
  }

  function start(figure) {
    const place = figure.querySelector(".movable-live");
    const text = place.querySelector("script").textContent;
    const live = JSON.parse(text, (key, value) => (calm && key === "transition" ? { duration: 0 } : value));
    const { updatemenus = [], sliders = [], ...layout } = live.layout;
    layout.font = { family: getComputedStyle(figure).fontFamily, ...layout.font };
    const row = make("div", { class: "movable-controls" });
    const isLive = (on) => figure.classList.toggle("is-live", on);
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", figure.querySelector("img").alt);
    for (const kind of ["wheel", "touchstart", "touchmove"]) // they scroll the page and nothing else
      place.addEventListener(kind, (event) => event.stopPropagation(), { capture: true, passive: true });

    async function draw() {
      await plotly();
      await quiet();
      isLive(true); // before drawing, because Plotly measures the place
      await Plotly.newPlot(place, { ...live, layout: fitted(layout) });
      return true;
    }
    let drawn; // whether the live figure is there, once it was asked for
    const show = () =>
      (drawn ??= draw().catch((reason) => {
        isLive(false);
        row.remove();
        console.error("A live figure could not be drawn, its still is shown:", reason);
        return false;
      }));
    const play = async ({ method, args }) => method !== "skip" && (await show()) && Plotly[method](place, ...args);

    const solid = live.data.some(({ type }) => SOLID.test(type));
    const controls = updatemenus.map((menu) => (menu.type === "dropdown" ? list : buttons)(menu, play));
    controls.push(...(solid ? [turning(live.data), ...sliders] : sliders).map((one) => slider(one, play)));
    row.append(...controls);
    figure.prepend(row);
    phone.addEventListener("change", () => drawn && play({ method: "relayout", args: [shape(layout)] }));
    if (!solid) return show();

    const button = make("button", { type: "button" });
    const turn = (on) => {
      isLive(on);
      button.textContent = on ? "Back to the still" : "Turn it in 3-D";
      for (const control of controls) control.hidden = !on;
    };
    button.addEventListener("click", async () => turn(!figure.classList.contains("is-live") && (await show())));
    row.prepend(button);
    turn(false);
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const { target } of entries.filter(({ isIntersecting }) => isIntersecting)) {
        near.unobserve(target);
        quiet().then(() => start(target));
      }
    },
    { rootMargin: "300px 0px" },
  );
  for (const figure of document.querySelectorAll("figure.movable")) near.observe(figure);
})();
