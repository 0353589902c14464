// The forecast: a GRU that reads measured positions, one frame at a time, as ballcast/models/nets/export.py has it.
// Times in s, positions in m. Everything that is learned, and every constant, comes from Python with the page.
"use strict";

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const silu = (x) => x * sigmoid(x);

/** Weights by name: {values: Float32Array, shape}, from {name: {shape, half, base64}}. */
function readWeights(stored) {
  const tensors = {};
  for (const [name, { shape, half, base64 }] of Object.entries(stored)) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const values = half ? Float32Array.from(new Uint16Array(bytes.buffer), fromHalf) : new Float32Array(bytes.buffer);
    tensors[name] = { values, shape };
  }
  return tensors;
}

/** The number that 16 bits stand for (IEEE 754 half precision). */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return (sign * fraction) / 16777216;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

/** y = W x + b of a layer: W (rows, columns). */
function linear(weight, bias, x) {
  const [rows, columns] = weight.shape, W = weight.values, y = new Float32Array(rows);
  for (let i = 0, k = 0; i < rows; i++) {
    let sum = bias.values[i];
    for (let j = 0; j < columns; j++) sum += W[k++] * x[j];
    y[i] = sum;
  }
  return y;
}

/** The lower triangular factor (size x size, rows) of log-scales and regressions: the covariance is A A^T. */
function regressionFactor(outputs, at, size, limits) {
  const rows = [];
  let n = at + size;
  for (let i = 0; i < size; i++) {
    const row = new Float64Array(size);
    row[i] = Math.exp(Math.min(Math.max(outputs[at + i], limits[0]), limits[1]));
    for (let j = 0; j < i; j++, n++) for (let k = 0; k < size; k++) row[k] += outputs[n] * rows[j][k];
    rows.push(row);
  }
  return rows;
}

/** A A^T of rows of A. */
const outer = (rows) => rows.map((a) => rows.map((b) => a.reduce((sum, x, k) => sum + x * b[k], 0)));

/** Follows one ball: observe(time, position) for every frame, then forecast(). */
class Forecaster {
  constructor({ weights, constants }) {
    this.tensors = weights;
    this.constants = constants;
    this.restart();
  }

  /** A new ball begins. */
  restart() {
    this.hidden = new Float32Array(this.constants.units);
    this.frames = []; // newest first: [t, x, y, z]
    this.count = 0;
  }

  /** The next frame that was seen. */
  observe(time, position) {
    this.frames.unshift([time, ...position]);
    this.frames.length = Math.min(this.frames.length, this.constants.history);
    this.count += 1;
    this.features = this.standardised(this.rawFeatures());
    this.hidden = this.nextHidden(this.features, this.hidden);
  }

  /** Mean velocity (3) m/s over the last frames. */
  recentVelocity() {
    const lag = Math.min(this.constants.velocityLag, this.count - 1);
    if (lag < 1) return [0, 0, 0];
    const now = this.frames[0], then = this.frames[lag];
    return [1, 2, 3].map((i) => (now[i] - then[i]) / (now[0] - then[0]));
  }

  /** RAW_LAYOUT of models/encoding/features.py. */
  rawFeatures() {
    const c = this.constants, now = this.frames[0], position = now.slice(1), velocity = this.recentVelocity();
    const features = position.map((x) => x / c.length);
    features.push(...position.map((x) => Math.asinh(x / c.radius)), ...velocity.map((v) => v / c.speed));
    for (const lag of c.lags) {
      if (lag >= this.count) {
        features.push(0, 0, 0, 0);
        continue;
      }
      const then = this.frames[lag], seconds = now[0] - then[0];
      features.push(seconds / c.usualGap);
      for (let i = 0; i < 3; i++) {
        const difference = (now[1 + i] - then[1 + i]) / seconds - velocity[i];
        features.push(Math.asinh((c.velocityRatio * difference) / c.speed));
      }
    }
    const gap = this.count > 1 ? now[0] - this.frames[1][0] : 0;
    features.push(Math.log(gap / c.usualGap + 0.1), Math.log(Math.min(this.count, c.maxFrames)), ...c.ending);
    return features;
  }

  standardised(features) {
    const mean = this.tensors.feature_mean.values, scale = this.tensors.feature_scale.values;
    const limit = this.constants.featureLimit;
    return Float32Array.from(features, (x, i) => Math.min(Math.max((x - mean[i]) / scale[i], -limit), limit));
  }

  nextHidden(features, h) {
    const w = this.tensors, units = h.length, next = new Float32Array(units);
    const a = linear(w["trunk.weight_ih_l0"], w["trunk.bias_ih_l0"], features);
    const b = linear(w["trunk.weight_hh_l0"], w["trunk.bias_hh_l0"], h);
    for (let i = 0; i < units; i++) {
      const reset = sigmoid(a[i] + b[i]), keep = sigmoid(a[units + i] + b[units + i]);
      const candidate = Math.tanh(a[2 * units + i] + reset * b[2 * units + i]);
      next[i] = candidate + keep * (h[i] - candidate);
    }
    return next;
  }

  /**
   * Where the ball will be: `time` (H) s, `mean` (H, 3) m and `covariance` (H, 3, 3) m2; and `landing`: probability,
   * time, position, covariance (4, 4) of both.
   */
  forecast() {
    const w = this.tensors, input = new Float32Array(this.hidden.length + this.features.length);
    input.set(this.hidden);
    input.set(this.features, this.hidden.length);
    const inner = linear(w["path.0.weight"], w["path.0.bias"], input).map(silu);
    const outputs = linear(w["path.2.weight"], w["path.2.bias"], inner);
    return { ...this.path(outputs), landing: this.landing(outputs) };
  }

  path(outputs) {
    const c = this.constants, w = this.tensors, now = this.frames[0], velocity = this.recentVelocity();
    const time = [], mean = [], covariance = [];
    c.times.forEach((ahead, h) => {
      const at = c.pathOutputs * h, scale = w.path_scale.values, middle = w.path_mean.values;
      const factor = regressionFactor(outputs, at + 3, 3, c.logScales);
      factor.forEach((row, i) => row.forEach((_, k) => (row[k] *= scale[3 * h + i] * c.spread[h])));
      time.push(now[0] + ahead);
      mean.push([0, 1, 2].map((i) => now[1 + i] + ahead * velocity[i] + middle[3 * h + i] +
        scale[3 * h + i] * outputs[at + i]));
      covariance.push(outer(factor));
    });
    return { time, mean, covariance };
  }

  landing(outputs) {
    const c = this.constants, at = c.pathOutputs * c.times.length, now = this.frames[0];
    const scale = this.tensors.landing_scale.values.map((x) => (Number.isFinite(x) ? x : 0));
    const middle = this.tensors.landing_mean.values;
    const where = [0, 1, 2, 3].map((i) => middle[i] + scale[i] * outputs[at + 1 + i]);
    const factor = regressionFactor(outputs, at + 5, 4, c.logScales);
    factor.forEach((row, i) => row.forEach((_, k) => (row[k] *= scale[i] * c.landingSpread)));
    return {
      probability: sigmoid(outputs[at]),
      time: now[0] + Math.max(where[0], c.minLandingTime),
      position: [0, 1, 2].map((i) => now[1 + i] + where[1 + i]),
      covariance: outer(factor),
    };
  }
}
