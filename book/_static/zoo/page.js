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

  /* One figure: what stands in it, what is known of its zoo, and its worker. */
  class LiveZoo {
    constructor(figure) {
      this.figure = figure;
      this.has = furniture();
      figure.prepend(arranged(this.has));
      figure.classList.add("is-live");
      try {
        this.worker = this.begin();
        this.listen();
      } catch (reason) {
        this.fail(String(reason));
      }
    }

    begin() {
      const text = [zooGrowing, zooReading, zooWorker].join("\n");
      const blob = new Blob([`${text}\nzooWorker();`], { type: "text/javascript" });
      const worker = new Worker(URL.createObjectURL(blob));
      worker.onerror = ({ message }) => this.fail(message);
      worker.onmessage = ({ data }) => {
        for (const [what, given] of Object.entries(data)) this[what](given);
      };
      worker.postMessage(["recipe", recipe]);
      return worker;
    }

    ask(what, given) {
      this.worker.postMessage([what, given]);
    }

    say(text) {
      this.has.status.textContent = text;
    }

    get chosen() {
      return Number(this.has.which.value) - 1;
    }

    /* -- what the worker tells, by the names of its messages */

    /* Only now a zoo takes the place of the one before, of which something may still be told until here. */
    begun(settings) {
      const { pause, permute, which } = this.has;
      [this.settings, this.growing] = [settings, true];
      [this.rows, this.medians, this.call, this.quarter] = [[], [], 0, 0];
      this.weights = this.network = undefined;
      which.max = settings.models;
      if (this.chosen >= settings.models) which.value = 1;
      permute.disabled = true;
      pause.disabled = false;
      pause.textContent = "Stop";
      this.say(`Growing ${settings.models} models.${calm.matches ? " They are drawn when that is done." : ""}`);
      this.figure.classList.add("is-grown");
    }

    epoch({ number, accuracies }) {
      const { epochs } = this.settings;
      this.rows.push(accuracies);
      this.medians.push(median(accuracies));
      this.has.bar.value = number / epochs;
      const quarter = Math.floor((4 * number) / epochs);
      if (quarter > this.quarter && quarter < 4)
        this.say(`Epoch ${number} of ${epochs}, median accuracy ${percent(this.medians.at(-1))}.`);
      this.quarter = quarter;
      this.soon();
    }

    seen(weights) {
      this.weights = weights;
      this.ask("look", { model: this.chosen, call: this.call });
      this.has.permute.disabled = false;
      this.soon();
    }

    looked(network) {
      this.network = network;
      this.soon();
    }

    stopped() {
      this.growing = false;
      this.has.pause.textContent = "Go on";
      this.say(this.rows.length ? `Stopped after epoch ${this.rows.length - 1}.` : "Stopped before it began.");
      this.soon();
    }

    grown({ seconds, rate }) {
      this.growing = false;
      this.has.pause.disabled = true;
      const size = `${this.settings.models} models, ${this.settings.epochs} epochs`;
      const speed = `${seconds.toFixed(1)} s, ${Math.round(rate)} model-epochs a second`;
      this.say(`Grown: ${size} in ${speed}. Median accuracy ${percent(this.medians.at(-1))}.`);
      this.soon();
    }

    fail(reason) {
      this.say(`Your browser does not grow the zoo (${reason}). Below is a still of one that Python grew.`);
      this.figure.classList.remove("is-grown");
      for (const control of this.figure.querySelectorAll(".zoo-live :is(button, input)")) control.disabled = true;
    }

    /* -- what is drawn */

    /* Draw: at once, a few times a second while it grows, and then not at all for who asks for less motion. */
    soon() {
      if (this.growing && (this.drawing || calm.matches)) return;
      clearTimeout(this.drawing);
      this.drawing = setTimeout(() => {
        this.drawing = undefined;
        if (this.rows.length) plots.curves(this.has.curves, this.rows, this.medians, this.settings.epochs, this.chosen);
        if (this.weights) this.drawWeights();
        if (this.network) this.drawNetwork();
      }, this.growing ? PAUSE : 0);
    }

    drawWeights() {
      const { has, weights, network } = this;
      const { epoch, probes, probesNow, tested, statistics } = weights;
      const now = this.rows[epoch];
      plots.map(has.map, weights, now, this.chosen, network?.order && network.networks[1].point);
      has.key.replaceChildren(...key(Math.min(...now), Math.max(...now)));
      plots.guesses(has.guesses, probes.statistics);
      const scores = Object.entries(PROBES).map(([name, words]) => {
        return [words, score(probes[name].r2), score(probesNow[name].r2)];
      });
      const held = `R² on the ${tested} held-out models, until epoch ${epoch}`;
      has.probes.replaceChildren(...parts(held, ["read off", "all epochs", "this epoch"], scores));
      const each = statistics.length / recipe.layers.length;
      const rows = recipe.statistics.slice(0, each).map((name, at) => {
        return [name.replace("_", " "), ...recipe.layers.map((_, layer) => fixed(statistics[layer * each + at]))];
      });
      const medianOf = `Median over models, epoch ${epoch}`;
      has.statistics.replaceChildren(...parts(medianOf, ["weights of", ...recipe.layers], rows));
    }

    drawNetwork() {
      const { has } = this;
      const { model, epoch, networks, order, answers, moved, length } = this.network;
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
      has.network.replaceChildren(...parts(`Model ${model + 1} after epoch ${epoch}`, head, lines));
      const way = `The weights moved by ${fixed(moved, 2)} (their length is ${fixed(length, 2)})`;
      const most = `no score of a test image changed by more than ${minus(answers.toExponential(1))}`;
      has.moved.textContent = order ? `${way}; ${most}.` : "";
    }

    /* -- what a reader does */

    listen() {
      const { form, pause, which, permute, map } = this.has;
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.ask("grow", Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, Number(value)])));
      });
      pause.addEventListener("click", () => {
        this.growing = pause.textContent !== "Stop";
        this.ask(this.growing ? "go" : "stop");
        if (!this.growing) return;
        pause.textContent = "Stop";
        this.say("Growing on.");
      });
      which.addEventListener("change", () => this.choose());
      permute.addEventListener("click", () => {
        if (which.reportValidity()) this.ask("look", { model: this.chosen, call: ++this.call });
      });
      map.addEventListener("click", ({ target }) => {
        const mark = target.closest("[data-model]");
        if (!mark) return;
        which.value = Number(mark.dataset.model) + 1;
        this.choose();
      });
    }

    choose() {
      if (!this.has.which.checkValidity() || !this.weights) return;
      this.call = 0;
      this.ask("look", { model: this.chosen, call: 0 });
    }
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

  for (const figure of document.querySelectorAll("figure.browser-zoo")) new LiveZoo(figure);
})();
