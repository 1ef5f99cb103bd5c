/* The zoo of a page: its controls, its worker, and when what is drawn. Without this script the still stands. */
(() => {
  "use strict";
  const recipe = zooRecipe; // written by Python
  const plots = zooPlots(recipe.colours);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const FIELDS = { models: "Models", epochs: "Epochs", rate: "Learning rate", seed: "Seed" };
  const PROBES = {
    weights: "raw weights W",
    statistics: "layer statistics s(W)",
    clock: "clock: the epoch alone",
  };
  const PAUSE = 300; // milliseconds between two drawings
  const READY = "Nothing is grown here yet; below is a still of a zoo that Python grew.";

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  const minus = (text) => text.replace("-", "−");
  const percent = (share) => minus(`${(100 * share).toFixed(1)}\u00a0%`);
  const fixed = (number, digits = 3) => minus(number.toFixed(digits));
  const score = (r2) => (Number.isFinite(r2) ? (r2 < -1 ? "below −1" : fixed(r2, 2)) : "–");
  function median(values) {
    const sorted = [...values].sort((one, other) => one - other);
    return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
  }

  function field(name) {
    const [min, max] = recipe.limits[name];
    const kind = { type: "number", inputmode: "decimal", step: name === "rate" ? "any" : 1, required: "" };
    return make("label", {}, FIELDS[name], make("input", { name, min, max, value: recipe.settings[name], ...kind }));
  }

  /* A table's parts; the first cell of each row is its head. */
  function parts(caption, head, rows) {
    const cell = (text, at) => make(at ? "td" : "th", at ? {} : { scope: "row" }, text);
    const titles = head.map((title) => make("th", { scope: "col" }, title));
    const body = rows.map((row) => make("tr", {}, ...row.map(cell)));
    return [make("caption", {}, caption), make("thead", {}, make("tr", {}, ...titles)), make("tbody", {}, ...body)];
  }

  /* All that stands on the page. */
  function furniture() {
    const live = { role: "status", "aria-live": "polite" };
    const whole = { type: "number", inputmode: "numeric", min: 1, max: recipe.settings.models, value: 1 };
    return {
      form: make("form", { class: "zoo-controls" }),
      grow: make("button", { type: "submit" }, "Grow"),
      pause: make("button", { type: "button", disabled: "" }, "Stop"),
      bar: make("progress", { max: 1, value: 0, "aria-label": "Epochs done" }),
      status: make("p", live, READY),
      curves: plots.picture("Test accuracy of every model over epochs, with their median."),
      map: plots.picture("Every model in the plane of the first two principal components of the weights."),
      guesses: plots.picture("Accuracy as a probe reads it off layer statistics, against the true one."),
      key: make("p"),
      probes: make("table"),
      statistics: make("table"),
      which: make("input", whole),
      permute: make("button", { type: "button", disabled: "" }, "Put its units in another order"),
      moved: make("p", live),
      before: plots.picture("Weights of the model, a row for each hidden unit.", 106),
      after: plots.picture("The same weights with the units in another order.", 106),
      network: make("table"),
    };
  }

  function arranged(has) {
    const panel = (title, ...inside) => make("section", {}, make("h3", {}, title), ...inside);
    const panels = (...inside) => make("div", { class: "zoo-panels" }, ...inside);
    has.form.append(...Object.keys(FIELDS).map(field), make("div", {}, has.grow, " ", has.pause));
    const row = make("div", { class: "zoo-controls" }, make("label", {}, "Model", has.which), has.permute);
    const legend = make("p", {}, "Thick: the median. Dashed: the model chosen below.");
    const grown = make(
      ...["div", { class: "zoo-grown" }],
      panels(
        panel("Accuracy", has.curves, legend),
        panel("Map of the weights", has.map, has.key),
        panel("What a probe reads off statistics", has.guesses),
        panel("Scores, and the statistics", has.probes, has.statistics),
      ),
      panel("One network", row, has.moved, panels(has.before, has.after), has.network),
    );
    return make("div", { class: "zoo-live" }, has.form, has.bar, has.status, grown);
  }

  function start(figure) {
    const has = furniture();
    figure.prepend(arranged(has));
    figure.classList.add("is-live");
    const { status, pause, permute, which } = has;
    let settings, rows, medians, seen, looked, call, quarters, drawing, growing;
    let waiting = false; // for the new zoo to begin: what is still told of the old one is not heard
    const shown = () => Number(which.value) - 1;

    function fail(reason) {
      status.textContent = `Your browser does not grow the zoo (${reason}). Below is a still of one that Python grew.`;
      figure.classList.remove("is-grown");
      for (const control of figure.querySelectorAll(".zoo-live :is(button, input)")) control.disabled = true;
    }

    const heard = {
      begun() {
        [waiting, growing] = [false, true];
        [rows, medians, seen, looked, call, quarters] = [[], [], undefined, undefined, 0, 0];
        figure.classList.add("is-grown");
      },
      epoch({ number, accuracies }) {
        rows.push(accuracies);
        medians.push(median(accuracies));
        has.bar.value = number / settings.epochs;
        const quarter = Math.floor((4 * number) / settings.epochs);
        if (quarter > quarters && quarter < 4)
          status.textContent = `Epoch ${number} of ${settings.epochs}, median accuracy ${percent(medians.at(-1))}.`;
        quarters = quarter;
        soon();
      },
      seen(given) {
        seen = given;
        ask("look", { model: shown(), call });
        permute.disabled = false;
        soon();
      },
      looked(given) {
        looked = given;
        soon();
      },
      stopped() {
        growing = false;
        pause.textContent = "Go on";
        status.textContent = rows.length ? `Stopped after epoch ${rows.length - 1}.` : "Stopped before it began.";
        soon();
      },
      grown({ seconds, rate }) {
        growing = false;
        pause.disabled = true;
        const size = `${settings.models} models, ${settings.epochs} epochs`;
        const speed = `${seconds.toFixed(1)} s, ${Math.round(rate)} model-epochs a second`;
        status.textContent = `Grown: ${size} in ${speed}. Median accuracy ${percent(medians.at(-1))}.`;
        soon();
      },
      fault: fail,
    };

    function begin() {
      const text = [zooGrowing, zooReading, zooWorker].join("\n");
      const blob = new Blob([`${text}\nzooWorker();`], { type: "text/javascript" });
      const made = new Worker(URL.createObjectURL(blob));
      made.onerror = ({ message }) => fail(message);
      made.onmessage = ({ data }) => {
        for (const [what, given] of Object.entries(data)) if (!waiting || what === "begun") heard[what](given);
      };
      made.postMessage(["recipe", recipe]);
      return made;
    }

    let worker;
    try {
      worker = begin();
    } catch (reason) {
      return fail(String(reason));
    }
    const ask = (what, given) => worker.postMessage([what, given]);

    /* Draw: at once, a few times a second while it grows, and then not at all for who asks for less motion. */
    function soon() {
      if (growing && (drawing || calm.matches)) return;
      clearTimeout(drawing);
      drawing = setTimeout(() => {
        drawing = undefined;
        if (rows.length) plots.curves(has.curves, rows, medians, settings.epochs, shown());
        if (seen) drawWeights();
        if (looked) drawNetwork();
      }, growing ? PAUSE : 0);
    }

    function drawWeights() {
      const now = rows[seen.epoch];
      plots.map(has.map, seen, now, shown(), looked?.order && looked.networks[1].point);
      has.key.replaceChildren(...key(Math.min(...now), Math.max(...now)));
      plots.guesses(has.guesses, seen.probes.statistics);
      const scores = Object.entries(PROBES).map(([name, words]) => {
        return [words, score(seen.probes[name].r2), score(seen.probesNow[name].r2)];
      });
      const held = `R² on the ${seen.tested} held-out models, until epoch ${seen.epoch}`;
      has.probes.replaceChildren(...parts(held, ["read off", "all epochs", "this epoch"], scores));
      const each = seen.statistics.length / recipe.layers.length;
      const statistics = recipe.statistics.slice(0, each).map((name, at) => {
        return [name.replace("_", " "), ...recipe.layers.map((_, layer) => fixed(seen.statistics[layer * each + at]))];
      });
      const medianOf = `Median over models, epoch ${seen.epoch}`;
      has.statistics.replaceChildren(...parts(medianOf, ["weights of", ...recipe.layers], statistics));
    }

    function drawNetwork() {
      const { networks, order, answers, moved, length } = looked;
      const largest = networks[0].weights.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      plots.units(has.before, networks[0].weights, undefined, recipe, largest);
      if (order) plots.units(has.after, networks[1].weights, order, recipe, largest);
      else has.after.replaceChildren();
      const pair = (words, say) => [words, ...(order ? networks : networks.slice(0, 1)).map(say)];
      const best = (scores) => scores.indexOf(Math.max(...scores));
      const said = (scores) => `${recipe.labels[best(scores)]} (${fixed(Math.max(...scores), 4)})`;
      const lines = [
        pair("test accuracy", ({ accuracy }) => percent(accuracy)),
        pair("… as the probe reads it off s(W)", ({ byStatistics }) => percent(byStatistics)),
        pair("… as the probe reads it off W", ({ byWeights }) => percent(byWeights)),
        ...recipe.labels.map((name, at) => pair(`answer to one ${name}, its score`, ({ scores }) => said(scores[at]))),
      ];
      const head = order ? ["weights", "as grown", "other order"] : ["weights", "as grown"];
      has.network.replaceChildren(...parts(`Model ${looked.model + 1} after epoch ${looked.epoch}`, head, lines));
      const way = `The weights moved by ${fixed(moved, 2)} (their length is ${fixed(length, 2)})`;
      const most = `no score of a test image changed by more than ${minus(answers.toExponential(1))}`;
      has.moved.textContent = order ? `${way}; ${most}.` : "";
    }

    has.form.addEventListener("submit", (event) => {
      event.preventDefault();
      settings = Object.fromEntries([...new FormData(has.form)].map(([name, value]) => [name, Number(value)]));
      waiting = true;
      which.max = settings.models;
      if (shown() >= settings.models) which.value = 1;
      permute.disabled = true;
      pause.disabled = false;
      pause.textContent = "Stop";
      const later = calm.matches ? " They are drawn when that is done." : "";
      status.textContent = `Growing ${settings.models} models.${later}`;
      ask("grow", settings);
    });
    pause.addEventListener("click", () => {
      growing = pause.textContent !== "Stop";
      if (growing) [pause.textContent, status.textContent] = ["Stop", "Growing on."];
      ask(growing ? "go" : "stop");
    });
    const choose = () => which.checkValidity() && seen && ask("look", { model: shown(), call: (call = 0) });
    which.addEventListener("change", choose);
    permute.addEventListener("click", () => which.reportValidity() && ask("look", { model: shown(), call: ++call }));
    has.map.addEventListener("click", ({ target }) => {
      const mark = target.closest("[data-model]");
      if (!mark) return;
      which.value = Number(mark.dataset.model) + 1;
      choose();
    });
  }

  /* What the colours of the map mean. */
  function key(low, high) {
    const swatches = recipe.colours.ramp.map((colour) => {
      const swatch = make("span", { class: "zoo-swatch" });
      swatch.style.background = colour;
      return swatch;
    });
    const scale = make("span", { class: "zoo-scale" }, `${percent(low)} `, ...swatches, ` ${percent(high)}`);
    return ["Colour: test accuracy, ", scale, ". Lines: the way from the first epoch on."];
  }

  for (const figure of document.querySelectorAll("figure.browser-zoo")) start(figure);
})();
