/* A Tetris zoo: its networks, their randomness and their training, as `hyperlib` has them (weightspace/randomness.py,
   weightspace/initialisation.py, zoos/engines). The library's sequential engine is the oracle: a test compares both.
   `recipe` is written by Python when the site is built (press/pages/browser_zoo.py). Everything stands in one function,
   whose text becomes a worker. Arithmetic is in float64 and what is kept between steps in float32, as there. */
function zooGrowing(recipe) {
  "use strict";
  const { units, inputs, classes, batch, streams, adam } = recipe;
  const params = units * inputs + classes * units; // a row for every unit, then one for every class
  const second = units * inputs; // where the second layer begins
  const train = images(recipe.train);
  const test = images(recipe.test);

  function images({ pixels, labels }) {
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return { x: Float64Array.from(new Float32Array(bytes(pixels).buffer)), y: bytes(labels) };
  }

  /* -- keyed randomness: SplitMix64 on two halves of 32 bits, because BigInt is slow where it is asked so often */

  const GAMMA = [0x9e3779b9, 0x7f4a7c15];
  let high, low; // the last result

  function times(h, l, otherHigh, otherLow) {
    const [a, b, c, d] = [l & 0xffff, l >>> 16, otherLow & 0xffff, otherLow >>> 16];
    const middle = (Math.imul(b, c) >>> 0) + (Math.imul(a, c) >>> 16);
    const rest = (middle & 0xffff) + (Math.imul(a, d) >>> 0);
    const carried = (Math.imul(b, d) >>> 0) + Math.floor(middle / 65536) + Math.floor(rest / 65536);
    high = (carried + Math.imul(h, otherLow) + Math.imul(l, otherHigh)) | 0;
    low = Math.imul(l, otherLow);
  }

  function mix(h, l) {
    times(h ^ (h >>> 30), l ^ ((l >>> 30) | (h << 2)), 0xbf58476d, 0x1ce4e5b9);
    [h, l] = [high, low];
    times(h ^ (h >>> 27), l ^ ((l >>> 27) | (h << 5)), 0x94d049bb, 0x133111eb);
    [h, l] = [high, low];
    high = h ^ (h >>> 31);
    low = l ^ ((l >>> 31) | (h << 1));
  }

  const halves = (number) => [Math.floor(number / 2 ** 32) | 0, number | 0];

  function plus([h, l], [otherHigh, otherLow]) {
    const sum = (l >>> 0) + (otherLow >>> 0);
    return [(h + otherHigh + (sum >= 2 ** 32)) | 0, sum | 0];
  }

  /* The key of a seed (two halves), and of the numbers that lead on from it. */
  function key(seed, ...path) {
    mix(...plus(seed, GAMMA));
    for (const number of path) {
      const [h, l] = [high, low];
      times(...halves(number + 1), ...GAMMA);
      mix(high, low);
      mix(h ^ high, l ^ low);
    }
    return [high, low];
  }

  /* Uniform integers below 2^53, into `numbers`. */
  function draws([h, l], numbers) {
    for (let at = 0; at < numbers.length; at++) {
      const sum = (l >>> 0) + GAMMA[1];
      h = (h + GAMMA[0] + (sum >= 2 ** 32)) | 0;
      l = sum | 0;
      mix(h, l);
      numbers[at] = (high >>> 0) * 2 ** 21 + (low >>> 11);
    }
    return numbers;
  }

  /* A random order of `count` things: the places of draws when sorted. Sorted is the upper part of each draw with its
     place below it, in one number of 53 bits, because plain numbers sort many times faster than by a comparison; where
     upper parts are equal, whole draws decide. */
  function orders(of, count) {
    const numbers = draws(of, new Float64Array(count));
    const room = 2 ** Math.ceil(Math.log2(Math.max(2, count)));
    const sorted = numbers.slice();
    for (let place = 0; place < count; place++) sorted[place] += place - (numbers[place] % room);
    sorted.sort();
    const places = new Uint32Array(count);
    let [tied, before] = [false, -1];
    for (let at = 0; at < count; at++) {
      places[at] = sorted[at] % room;
      const upper = sorted[at] - places[at];
      tied ||= upper === before;
      before = upper;
    }
    return tied ? places.sort((one, other) => numbers[one] - numbers[other]) : places;
  }

  /* -- one network */

  function initial(of) {
    const weights = new Float32Array(params);
    const layers = [[0, second, inputs], [second, params, units]];
    layers.forEach(([start, stop, fan], layer) => {
      const drawn = draws(key(of, streams.initial, layer), new Float64Array(stop - start));
      drawn.forEach((number, at) => (weights[start + at] = (2 * number * 2 ** -53 - 1) * Math.sqrt(6 / fan)));
    });
    return weights;
  }

  const hidden = new Float64Array(units);
  const scores = new Float64Array(classes);

  /* Scores of one image, in `scores`; what the units say stands in `hidden`. */
  function forward(weights, x, at) {
    for (let unit = 0, w = 0; unit < units; unit++) {
      let sum = 0;
      for (let pixel = 0; pixel < inputs; pixel++, w++) sum += weights[w] * x[at + pixel];
      hidden[unit] = Math.tanh(sum);
    }
    for (let label = 0, w = second; label < classes; label++) {
      let sum = 0;
      for (let unit = 0; unit < units; unit++, w++) sum += weights[w] * hidden[unit];
      scores[label] = sum;
    }
  }

  const gradient = new Float64Array(params);
  const slopes = new Float64Array(units);

  /* Add the gradient of one image's cross-entropy, divided by `count`. */
  function backward(weights, x, at, label, count) {
    let top = scores[0];
    for (let other = 1; other < classes; other++) if (scores[other] > top) top = scores[other];
    let total = 0;
    for (let other = 0; other < classes; other++) total += scores[other] = Math.exp(scores[other] - top);
    slopes.fill(0);
    for (let other = 0, w = second; other < classes; other++) {
      const slope = (scores[other] / total - (other === label ? 1 : 0)) / count;
      for (let unit = 0; unit < units; unit++, w++) {
        gradient[w] += slope * hidden[unit];
        slopes[unit] += slope * weights[w];
      }
    }
    for (let unit = 0, w = 0; unit < units; unit++) {
      const slope = slopes[unit] * (1 - hidden[unit] * hidden[unit]);
      for (let pixel = 0; pixel < inputs; pixel++, w++) gradient[w] += slope * x[at + pixel];
    }
  }

  function adamStep({ weights, first, squared }, rate, step) {
    const [keep, keepSquared] = adam.decays;
    const size = rate / (1 - keep ** step);
    const root = Math.sqrt(1 - keepSquared ** step);
    for (let w = 0; w < params; w++) {
      first[w] += (gradient[w] - first[w]) * (1 - keep);
      squared[w] = squared[w] * keepSquared + gradient[w] * gradient[w] * (1 - keepSquared);
      weights[w] -= (size * first[w]) / (Math.sqrt(squared[w]) / root + adam.epsilon);
    }
  }

  function trainEpoch(model, rate, epoch) {
    const order = orders(key(model.key, streams.order, epoch), train.y.length);
    for (let from = 0; from < order.length; from += batch) {
      const to = Math.min(from + batch, order.length);
      gradient.fill(0);
      for (let at = from; at < to; at++) {
        const image = order[at];
        forward(model.weights, train.x, image * inputs);
        backward(model.weights, train.x, image * inputs, train.y[image], to - from);
      }
      adamStep(model, rate, ++model.steps);
    }
  }

  /* Class scores of all test images, one row after the other. */
  function answers(weights) {
    const all = new Float64Array(test.y.length * classes);
    for (let image = 0; image < test.y.length; image++) {
      forward(weights, test.x, image * inputs);
      all.set(scores, image * classes);
    }
    return all;
  }

  /* Share of test images whose label has the highest score. */
  function accuracy(weights) {
    let hits = 0;
    for (let image = 0; image < test.y.length; image++) {
      forward(weights, test.x, image * inputs);
      let best = 0;
      for (let label = 1; label < classes; label++) if (scores[label] > scores[best]) best = label;
      if (best === test.y[image]) hits++;
    }
    return hits / test.y.length;
  }

  /* -- the population */

  /* A zoo that grows while it is iterated, by one epoch of one model at a time; all models finish an epoch before the
     next begins. `weights [models, epochs + 1, params]` and `accuracy [models, epochs + 1]` hold what is done. */
  function zoo({ models, epochs, rate, seed }) {
    const weights = new Float32Array(models * (epochs + 1) * params);
    const accuracies = new Float32Array(models * (epochs + 1));
    const all = Array.from({ length: models }, (_, number) => {
      const own = key(halves(number + 1), seed);
      const empty = () => new Float32Array(params);
      return { key: own, weights: initial(own), first: empty(), squared: empty(), steps: 0 };
    });

    function* growth() {
      for (let epoch = 0; epoch <= epochs; epoch++) {
        for (const [number, model] of all.entries()) {
          if (epoch) trainEpoch(model, rate, epoch);
          const row = number * (epochs + 1) + epoch;
          weights.set(model.weights, row * params);
          accuracies[row] = accuracy(model.weights);
          yield { epoch, whole: number === models - 1 };
        }
      }
    }

    const at = (model, epoch) => {
      const row = model * (epochs + 1) + epoch;
      return weights.subarray(row * params, (row + 1) * params);
    };
    return { models, epochs, weights, accuracies, at, growth };
  }

  /* The same network with its hidden units in another order: rows of the first layer, columns of the second. */
  function permuted(weights, order) {
    return Float32Array.from(weights, (_, w) => {
      if (w < second) return weights[order[Math.floor(w / inputs)] * inputs + (w % inputs)];
      return weights[second + Math.floor((w - second) / units) * units + order[(w - second) % units]];
    });
  }

  /* An order of the units that is not the one they have, another at every call. */
  function otherOrder(model, seed, call) {
    for (let again = 0; ; again++) {
      const order = [...orders(key(halves(model), seed, streams.permutation, call, again), units)];
      if (order.some((unit, place) => unit !== place)) return order;
    }
  }

  return { params, train, test, key, halves, orders, zoo, accuracy, answers, permuted, otherOrder };
}
