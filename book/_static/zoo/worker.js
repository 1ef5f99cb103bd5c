/* The worker of a zoo that grows in the page: it trains in short turns, so that it hears what the page says in between,
   and reads from the weights as often as that costs a fifth of its time at most. Its text and those of `zooGrowing` and
   `zooReading` become a Blob, because browsers start no worker from a file. */
function zooWorker() {
  "use strict";
  const TURN = 40; // milliseconds
  const SHARE = 5; // as long as reading took, so many times as long it waits
  let recipe, growing, reading; // what the page sends first, and what is made of it
  let zoo, growth, settings, done, seen; // the zoo, and the last epoch that all of its models have finished
  let spent, counted, waits; // milliseconds of growing and reading, model-epochs trained, when to read again
  let turning = false;
  const turns = new MessageChannel(); // a timer would wait four milliseconds each time
  turns.port1.onmessage = () => guarded(turn);

  function guarded(work) {
    try {
      work();
    } catch (fault) {
      turning = false;
      postMessage({ fail: String(fault) });
    }
  }

  const asked = {
    recipe(given) {
      recipe = given;
      growing = zooGrowing(recipe);
      reading = zooReading(recipe);
    },
    grow(given) {
      settings = given;
      zoo = growing.zoo(settings);
      growth = zoo.growth();
      [done, seen, spent, counted, waits] = [-1, undefined, 0, 0, 0];
      postMessage({ begun: settings });
      asked.go();
    },
    stop() {
      turning = false;
      if (done >= 0) read();
      postMessage({ stopped: true });
    },
    go() {
      if (!turning) turns.port2.postMessage(0);
      turning = true;
    },
    look,
  };
  onmessage = ({ data: [what, given] }) => guarded(() => asked[what](given));

  function turn() {
    if (!turning) return;
    const began = performance.now();
    let step;
    do {
      step = growth.next();
      if (step.done) break;
      if (step.value.epoch) counted++;
      if (step.value.whole) {
        done = step.value.epoch;
        const accuracies = Float32Array.from({ length: zoo.models }, (_, model) => accuracyOf(model, done));
        postMessage({ epoch: { number: done, accuracies } });
      }
    } while (performance.now() - began < TURN);
    spent += performance.now() - began;
    waits -= performance.now() - began;
    if (step.done || (waits <= 0 && done > (seen?.epoch ?? -1))) waits = SHARE * read();
    if (step.done) {
      turning = false;
      postMessage({ grown: { seconds: spent / 1000, rate: (1000 * counted) / spent } });
    } else turns.port2.postMessage(0);
  }

  const accuracyOf = (model, epoch) => zoo.accuracies[model * (zoo.epochs + 1) + epoch];

  /* What the weights say, of epochs spread from the first to the last that is done; how many milliseconds it took. */
  function read() {
    if (seen?.epoch === done) return 0;
    const began = performance.now();
    const epochs = reading.spread(done, recipe.spread);
    const part = reading.parts(zoo.models);
    const rows = []; // one for each model and epoch
    for (let model = 0; model < zoo.models; model++)
      for (const epoch of epochs) {
        const weights = Float64Array.from(zoo.at(model, epoch));
        rows.push({ epoch, part: part[model], weights, accuracy: accuracyOf(model, epoch) });
      }
    for (const row of rows) row.statistics = reading.statistics(row.weights);
    const plane = reading.plane(rows.map(({ weights }) => weights), seen?.plane);
    const now = rows.filter(({ epoch }) => epoch === done);
    seen = { epoch: done, plane, probes: probes(rows), probesNow: probes(now) };
    postMessage({
      seen: {
        epoch: done,
        epochs,
        points: rows.map(({ weights }) => reading.on(plane, weights)),
        shares: plane.shares,
        statistics: now[0].statistics.map((_, at) => median(now.map(({ statistics }) => statistics[at]))),
        probes: seen.probes,
        probesNow: seen.probesNow,
        tested: part.filter((one) => one === 2).length,
      },
    });
    spent += performance.now() - began;
    return performance.now() - began;
  }

  function probes(rows) {
    const column = (name) => rows.map((row) => row[name]);
    const [accuracies, part] = [column("accuracy"), column("part")];
    return {
      weights: reading.probe(column("weights"), accuracies, part),
      statistics: reading.probe(column("statistics"), accuracies, part),
      clock: { r2: reading.clock(column("epoch"), accuracies, part) },
    };
  }

  function median(values) {
    const sorted = values.sort((one, other) => one - other);
    return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
  }

  /* One network as it is and, from the first `call` on, with its units in another order. */
  function look({ model, call }) {
    if (!seen) return;
    const before = zoo.at(model, seen.epoch);
    const order = call && growing.otherOrder(model + 1, settings.seed, call);
    const after = order ? growing.permuted(before, order) : before;
    const [one, other] = [before, after].map(growing.answers);
    postMessage({
      looked: {
        ...{ model, epoch: seen.epoch, order },
        moved: Math.sqrt(before.reduce((sum, value, at) => sum + (value - after[at]) ** 2, 0)),
        length: Math.sqrt(before.reduce((sum, value) => sum + value ** 2, 0)),
        answers: one.reduce((most, value, at) => Math.max(most, Math.abs(value - other[at])), 0),
        networks: [before, after].map(said),
      },
    });
  }

  /* What one network is and says: weights, place on the map, accuracy, what the probes think that is, and scores of the
     first test image of each class. */
  function said(weights) {
    const row = Float64Array.from(weights);
    const { probes } = seen;
    const scores = growing.answers(weights);
    const shown = recipe.labels.map((_, label) => growing.test.y.indexOf(label));
    return {
      weights: row,
      point: reading.on(seen.plane, row),
      accuracy: growing.accuracy(weights),
      byWeights: reading.told(probes.weights.coefficients, row),
      byStatistics: reading.told(probes.statistics.coefficients, reading.statistics(row)),
      scores: shown.map((image) => [...scores.subarray(image * recipe.classes, (image + 1) * recipe.classes)]),
    };
  }
}
