/* What is read from the weights of a zoo: statistics of each layer (as weightspace/statistics.py has them), the plane
   of their largest variance, and a linear probe (as tasks/probes.py has it). A test compares all with Python's. */
function zooReading(recipe) {
  "use strict";
  const { units, inputs, classes } = recipe;
  const layers = [[0, units * inputs], [units * inputs, units * inputs + classes * units]];

  /* Mean, variance and percentiles of each layer. */
  function statistics(weights) {
    return layers.flatMap(([start, stop]) => {
      const sorted = weights.slice(start, stop).sort();
      const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
      const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sorted.length;
      return [mean, variance, ...recipe.percentiles.map((percent) => percentile(sorted, percent))];
    });
  }

  /* Of sorted numbers, between its two neighbours by a straight line. */
  function percentile(sorted, percent) {
    const place = (percent / 100) * (sorted.length - 1);
    const below = Math.floor(place);
    const [one, other] = [sorted[below], sorted[Math.ceil(place)]];
    return one + (other - one) * (place - below);
  }

  /* At most `count` epochs, evenly spaced from the first to `last`. */
  function spread(last, count) {
    const steps = Math.min(count - 1, last);
    return Array.from({ length: steps + 1 }, (_, step) => (steps ? Math.round((step * last) / steps) : 0));
  }

  /* Sums of products of all pairs of columns. */
  function products(rows) {
    const size = rows[0].length;
    const sums = Array.from({ length: size }, () => new Float64Array(size));
    for (const row of rows)
      for (let one = 0; one < size; one++)
        for (let other = 0; other <= one; other++) sums[one][other] += row[one] * row[other];
    for (let one = 0; one < size; one++) for (let other = 0; other < one; other++) sums[other][one] = sums[one][other];
    return sums;
  }

  /* Eigenvalues of a symmetric matrix, and its eigenvectors as rows, by Jacobi's rotations. The matrix is used up. */
  function eigen(matrix) {
    const size = matrix.length;
    const vectors = matrix.map((_, row) => Float64Array.from(matrix, (_, column) => (row === column ? 1 : 0)));
    const scale = Math.max(...matrix.map((row, at) => Math.abs(row[at])));
    for (let sweep = 0, rotated = true; rotated && sweep < 50; sweep++) {
      rotated = false;
      for (let p = 0; p < size; p++)
        for (let q = p + 1; q < size; q++)
          if (Math.abs(matrix[p][q]) > 1e-15 * scale) {
            rotated = true;
            rotate(matrix, vectors, p, q);
          }
    }
    return { values: matrix.map((row, at) => row[at]), vectors };
  }

  /* One rotation, after which place (p, q) is zero. */
  function rotate(matrix, vectors, p, q) {
    const angle = (matrix[q][q] - matrix[p][p]) / (2 * matrix[p][q]);
    const tan = (angle < 0 ? -1 : 1) / (Math.abs(angle) + Math.hypot(1, angle));
    const cos = 1 / Math.hypot(1, tan);
    const sin = tan * cos;
    for (const row of matrix) [row[p], row[q]] = [cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]];
    for (const [one, other] of [[matrix[p], matrix[q]], [vectors[p], vectors[q]]])
      for (let at = 0; at < one.length; at++)
        [one[at], other[at]] = [cos * one[at] - sin * other[at], sin * one[at] + cos * other[at]];
  }

  /* The first two principal components of some rows: their mean, two directions, and the share of variance on each.
     A direction's sign is free; it is the one that agrees with `before`, so that a map does not flip while it grows. */
  function plane(rows, before) {
    const mean = rows[0].map((_, column) => rows.reduce((sum, row) => sum + row[column], 0) / rows.length);
    const { values, vectors } = eigen(products(rows.map((row) => row.map((value, at) => value - mean[at]))));
    const total = values.reduce((sum, value) => sum + value, 0);
    const largest = [...values.keys()].sort((one, other) => values[other] - values[one]).slice(0, 2);
    const directions = largest.map((number, axis) => {
      const other = before?.directions[axis] ?? vectors[number].map((value) => value ** 3); // largest parts positive
      return vectors[number].map((value) => value * (dot(vectors[number], other) < 0 ? -1 : 1));
    });
    return { mean, directions, shares: largest.map((number) => values[number] / total) };
  }

  const dot = (one, other) => one.reduce((sum, value, at) => sum + value * other[at], 0);
  const on = ({ mean, directions }, row) => directions.map((way) => dot(row.map((value, at) => value - mean[at]), way));

  /* Ridge regression: the penalty of |y - Xb|^2 + penalty |b|^2, X with a column of ones whose weight is penalised like
     the others, is the one with the least error on the validation rows. The coefficients, the last of the ones. */
  function ridge(train, validation) {
    const rows = train.x.map((row) => Float64Array.of(...row, 1));
    const { values, vectors } = eigen(products(rows));
    const sums = rows[0].map((_, column) => rows.reduce((sum, row, at) => sum + row[column] * train.y[at], 0));
    const loads = vectors.map((vector) => dot(vector, sums));
    let best = { error: Infinity };
    for (const penalty of recipe.penalties) {
      const scaled = loads.map((load, at) => load / (Math.max(0, values[at]) + penalty));
      const coefficients = rows[0].map((_, column) => dot(scaled, vectors.map((vector) => vector[column])));
      const missed = validation.x.map((row, at) => (validation.y[at] - told(coefficients, row)) ** 2);
      const error = missed.reduce((sum, value) => sum + value, 0);
      if (error < best.error) best = { error, penalty, coefficients };
    }
    return best;
  }

  /* What a probe says of one row. */
  const told = (coefficients, row) => dot(row, coefficients) + coefficients.at(-1);

  /* 1 is perfect, 0 no better than the mean of these numbers, which every guess below it is worse than. */
  function r2(truth, guesses) {
    const mean = truth.reduce((sum, value) => sum + value, 0) / truth.length;
    const error = truth.reduce((sum, value, at) => sum + (value - guesses[at]) ** 2, 0);
    return 1 - error / truth.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  }

  /* To which part each model belongs (0 trains, 1 validates, 2 tests): the first ones, the next, the rest, as their
     seeds are exchangeable. */
  function parts(models) {
    const ends = recipe.ends.map((end) => Math.floor(models * end + 0.5));
    return Array.from({ length: models }, (_, model) => ends.findIndex((end) => model < end));
  }

  /* A probe that learns from the training rows: its coefficients, and R2 and guesses on the rows of the test models. */
  function probe(x, y, part) {
    const [train, validation, test] = [0, 1, 2].map((wanted) => {
      const places = [...part.keys()].filter((at) => part[at] === wanted);
      return { x: places.map((at) => x[at]), y: places.map((at) => y[at]) };
    });
    const { coefficients, penalty } = ridge(train, validation);
    const guesses = test.x.map((row) => told(coefficients, row));
    return { coefficients, penalty, guesses, truth: test.y, r2: r2(test.y, guesses) };
  }

  /* R2 on the test models of who knows the epoch alone: the mean of the training models then. */
  function clock(epochs, y, part) {
    const of = (wanted) => [...part.keys()].filter((at) => part[at] === wanted);
    const means = new Map();
    for (const epoch of new Set(epochs)) {
      const then = of(0).filter((at) => epochs[at] === epoch);
      means.set(epoch, then.reduce((sum, at) => sum + y[at], 0) / then.length);
    }
    return r2(of(2).map((at) => y[at]), of(2).map((at) => means.get(epochs[at])));
  }

  return { statistics, spread, eigen, plane, on, ridge, told, r2, parts, probe, clock };
}
