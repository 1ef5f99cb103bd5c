/* What a zoo in the page looks like, as SVG: words take the colours of the page, marks those of figures/style.py. */
function zooPlots(colours) {
  "use strict";
  const { ink, zoo, raised, ramp, signed } = colours;
  const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [360, 250, 42, 34, 8, 10];
  const thin = { stroke: ink, "stroke-opacity": 0.35 };
  const dashed = { stroke: raised, "stroke-width": 2, "stroke-dasharray": "5 3" };
  const ring = { fill: "none", stroke: raised, "stroke-width": 2.5 };

  function make(tag, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  /* An empty picture that says in words what will be in it. */
  const picture = (words, height = HEIGHT) =>
    make("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": words });
  const word = (text, x, y, anchor = "middle") => make("text", { x, y, "text-anchor": anchor }, text);
  const dot = ([x, y], r, look) => make("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r, ...look });
  const path = (points, look) => {
    const d = points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    return make("path", { d, fill: "none", ...look });
  };

  /* Round numbers between two ends, and their words. */
  function ticks(low, high) {
    const rough = (high - low) / 5;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((times) => times * unit >= rough);
    const first = Math.ceil(low / step);
    const count = Math.floor(high / step) - first + 1;
    return Array.from({ length: count }, (_, at) => Number(((first + at) * step).toPrecision(6)));
  }
  const told = (number) => String(number).replace("-", "−");

  /* Axes with their words; what turns numbers into places. */
  function axes(svg, [left, right], [low, high], across, up) {
    const x = (value) => LEFT + ((value - left) / (right - left)) * (WIDTH - LEFT - RIGHT);
    const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - BOTTOM - TOP);
    const grid = { stroke: ink, "stroke-opacity": 0.25 };
    const foot = HEIGHT - BOTTOM;
    const upright = word(up, 0, 0);
    upright.setAttribute("transform", `translate(11 ${(TOP + foot) / 2}) rotate(-90)`);
    svg.replaceChildren(
      ...ticks(left, right).map((at) => path([[x(at), TOP], [x(at), foot]], grid)),
      ...ticks(left, right).map((at) => word(told(at), x(at), foot + 13)),
      ...ticks(low, high).map((at) => path([[LEFT, y(at)], [WIDTH - RIGHT, y(at)]], grid)),
      ...ticks(low, high).map((at) => word(told(at), LEFT - 5, y(at) + 4, "end")),
      ...[word(across, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4), upright],
    );
    return { x, y };
  }

  /* `rows` has the accuracies of all models for each epoch, `medians` one number. */
  function curves(svg, rows, medians, epochs, chosen) {
    const { x, y } = axes(svg, [0, epochs], [0, 100], "epoch", "test accuracy in %");
    const line = (values, look) => path(values.map((value, epoch) => [x(epoch), y(100 * value)]), look);
    for (let model = 0; model < rows[0].length; model++) svg.append(line(rows.map((row) => row[model]), thin));
    svg.append(line(medians, { stroke: zoo, "stroke-width": 3 }), line(rows.map((row) => row[chosen]), dashed));
  }

  /* Where models are, `points [models * epochs, 2]`, with the way they came; `moved` is the place of a copy. */
  function map(svg, { points, epochs, shares }, accuracies, chosen, moved) {
    const shade = shades(accuracies);
    const { x, y } = square(svg, moved ? [...points, moved] : points, shares);
    const place = ([one, other]) => [x(one), y(other)];
    const way = (model) => points.slice(model * epochs.length, (model + 1) * epochs.length).map(place);
    const marks = Array.from(accuracies, (accuracy, model) => {
      const look = { fill: shade(accuracy), "data-model": model };
      const mark = dot(way(model).at(-1), accuracies.length > 100 ? 3 : 4, look);
      mark.append(make("title", {}, `model ${model + 1}: ${(100 * accuracy).toFixed(1)} %`));
      return mark;
    });
    svg.append(...marks.map((_, model) => path(way(model), thin)), ...marks);
    const from = way(chosen).at(-1);
    svg.append(dot(from, 8, ring));
    if (!moved) return;
    const to = place(moved);
    svg.append(path([from, to], dashed), dot(to, 4, { fill: shade(accuracies[chosen]) }), dot(to, 8, ring));
  }

  /* Axes around some points, with one unit for both. */
  function square(svg, points, shares) {
    const size = [WIDTH - LEFT - RIGHT, HEIGHT - BOTTOM - TOP];
    const ends = [0, 1].map((axis) => {
      const values = points.map((point) => point[axis]);
      return [Math.min(...values), Math.max(...values)];
    });
    const unit = Math.max(...ends.map(([low, high], axis) => (1.1 * (high - low) || 1) / size[axis]));
    const around = ends.map(([low, high], axis) => {
      return [-1, 1].map((side) => (low + high) / 2 + (side * unit * size[axis]) / 2);
    });
    const words = shares.map((share, axis) => `PC ${axis + 1} (${(100 * share).toFixed(1)} % of variance)`);
    return axes(svg, ...around, ...words);
  }

  /* The colours of the ramp, from the lowest accuracy to the highest. */
  function shades(accuracies) {
    const [low, high] = [Math.min(...accuracies), Math.max(...accuracies)];
    return (value) => ramp[Math.min(ramp.length - 1, Math.floor(((value - low) / (high - low || 1)) * ramp.length))];
  }

  /* What a probe says of models that it has not seen, against what is so. */
  function guesses(svg, { truth, guesses: said }) {
    const low = Math.min(0, ...said.map((value) => Math.max(value, -1)));
    const high = Math.max(1, ...said.map((value) => Math.min(value, 2)));
    const { x, y } = axes(svg, [0, 100], [100 * low, 100 * high], "test accuracy in %", "predicted in %");
    const within = (value) => Math.min(high, Math.max(low, value));
    const marks = truth.map((value, at) => [x(100 * value), y(100 * within(said[at]))]);
    svg.append(path([[x(0), y(0)], [x(100), y(100)]], { stroke: ink, "stroke-width": 1.5 }));
    svg.append(...marks.map((place) => dot(place, 3, { fill: zoo, "fill-opacity": 0.75 })));
  }

  /* A row for each hidden unit: what comes in, and behind a gap what goes out. The stronger the colour the larger the
     weight; `largest` has the full colour. */
  function units(svg, weights, order, recipe, largest) {
    const { units: count, inputs, classes } = recipe;
    const [gap, head] = [8, 16];
    const side = (WIDTH - LEFT - RIGHT - gap) / (inputs + classes);
    const cell = (row, column, value) => {
      const place = { x: LEFT + column * side + (column < inputs ? 0 : gap), y: head + row * (side + 2) };
      const strength = Math.min(1, Math.abs(value) / largest).toFixed(3);
      const look = { width: side - 1, height: side - 1, fill: signed[value > 0 ? 1 : 0], "fill-opacity": strength };
      return make("rect", { ...place, ...look });
    };
    const words = [word("from the pixels", LEFT, 10, "start"), word("to the classes", WIDTH - RIGHT, 10, "end")];
    svg.replaceChildren(...words);
    for (let row = 0; row < count; row++) {
      svg.append(word(`unit ${(order?.[row] ?? row) + 1}`, LEFT - 4, head + row * (side + 2) + side / 2 + 3, "end"));
      for (let at = 0; at < inputs; at++) svg.append(cell(row, at, weights[row * inputs + at]));
      for (let at = 0; at < classes; at++)
        svg.append(cell(row, inputs + at, weights[count * inputs + at * count + row]));
    }
  }

  return { picture, curves, map, guesses, units };
}
