// The page: throws balls, measures them as a tracker does, shows the forecast, and scores it.
"use strict";

const AHEAD = 0.2; // s, of the errors that are shown
const SHOWN = 0.7; // s of the forecast that are drawn
const IDLE = 6; // s after which balls are thrown again without anybody
const MISSED_AFTER = 1.2; // s without a frame after which a forecast is no longer shown

/** Normally distributed, mean 0 and standard deviation 1. */
const gauss = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

class Page {
  constructor(data) {
    this.sport = data.sport;
    this.forecaster = new Forecaster({ weights: readWeights(data.weights), constants: data.constants });
    this.view = new View(document.getElementById("picture"), data.sport);
    this.controls = Object.fromEntries([...document.querySelectorAll("[id]")].map((e) => [e.id, e]));
    this.drag = null;
    this.lastThrow = -Infinity; // by somebody, s
    this.work = []; // ms of computing and drawing of each picture
    this.pictures = [];
    this.listen();
    this.begin(this.presetLaunch());
    requestAnimationFrame((ms) => this.frame(ms));
  }

  listen() {
    const canvas = this.view.canvas, at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const [u, v] = at(event);
      this.drag = { from: [u, v], to: [u, v], position: this.hand(u, v) };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.drag) this.drag.to = at(event);
    });
    canvas.addEventListener("pointerup", () => this.release());
    canvas.addEventListener("pointercancel", () => (this.drag = null));
    for (const button of document.querySelectorAll("[data-throw]")) {
      button.addEventListener("click", () => {
        this.lastThrow = performance.now() / 1000;
        this.begin(this.presetLaunch(button.dataset.throw));
      });
    }
  }

  /** Where a ball is held that is touched at a pixel: above the near end of the table. */
  hand(u, v) {
    const p = this.view.camera.onPlane(u, v, -1.5), clamp = (x, low, high) => Math.min(Math.max(x, low), high);
    return [clamp(p[0], -0.9, 0.9), -1.5, clamp(p[2], 0.06, 0.7)];
  }

  /** Drag up and along: that is where the ball goes, the farther the faster. */
  dragLaunch() {
    const { from, to, position } = this.drag, size = 0.5 * Math.min(this.view.width, this.view.height);
    const right = (to[0] - from[0]) / size, up = (from[1] - to[1]) / size;
    const speed = Math.min(Math.max(3 + 7 * Math.hypot(right, up), 3), 16);
    const aim = Math.max(-0.6, Math.min(0.6, 0.55 * right)), rise = Math.max(-0.25, Math.min(0.7, 0.5 * up - 0.05));
    const velocity = [aim, Math.sqrt(1 - Math.min(aim * aim + rise * rise, 0.8)), rise].map((x) => x * speed);
    return { position, velocity, spin: this.sliderSpin(velocity) };
  }

  /** Top spin turns about the horizontal across the path, side spin about the vertical. */
  sliderSpin(velocity) {
    const level = Math.hypot(velocity[0], velocity[1]) || 1, top = Number(this.controls.top.value);
    return [(-top * velocity[1]) / level, (top * velocity[0]) / level, Number(this.controls.side.value)];
  }

  release() {
    if (!this.drag) return;
    const isClick = Math.hypot(this.drag.to[0] - this.drag.from[0], this.drag.to[1] - this.drag.from[1]) < 8;
    const launch = isClick ? this.presetLaunch() : this.dragLaunch();
    this.drag = null;
    this.lastThrow = performance.now() / 1000;
    this.begin(launch);
  }

  /** One of the launches of that name, or of any, which Python has drawn. */
  presetLaunch(name) {
    const any = (list) => list[Math.floor(Math.random() * list.length)];
    const launch = any(this.sport.throws[name || any(Object.keys(this.sport.throws))]);
    return { position: launch.slice(0, 3), velocity: launch.slice(3, 6), spin: launch.slice(6) };
  }

  begin(launch) {
    this.flight = new Flight(this.sport, launch);
    this.forecaster.restart();
    this.measured = [];
    this.next = 0; // number of the next frame of the tracker
    this.promises = []; // forecasts AHEAD s ahead whose moment has not come
    this.errors = [];
    this.known = null; // the newest forecast
    this.rest = 0; // s since the flight ended
  }

  frame(ms) {
    const began = performance.now(), dt = Math.min((ms - (this.before ?? ms)) / 1000, 0.05);
    this.before = ms;
    const slow = this.controls.slow.checked ? 0.2 : 1;
    if (!this.drag) this.advance(dt * slow);
    this.draw();
    this.pictures.push(ms);
    this.work.push(performance.now() - began);
    if (this.work.length > 600) this.work.shift(), this.pictures.shift();
    requestAnimationFrame((next) => this.frame(next));
  }

  advance(dt) {
    const rate = Number(this.controls.rate.value), until = this.flight.time + dt;
    while (this.next / rate <= until && !this.flight.isOver) {
      this.flight.advance(this.next / rate);
      this.keepPromises();
      if (Math.random() >= Number(this.controls.missed.value) / 100) this.measure();
      this.next += 1;
    }
    this.flight.advance(until);
    const isLow = this.flight.ball.p[2] < -0.7 && this.flight.contacts.length > 3;
    if (this.flight.isOver || isLow) this.rest += dt;
    const isIdle = performance.now() / 1000 - this.lastThrow > IDLE;
    if (this.rest > 0.8 && isIdle) this.begin(this.presetLaunch());
  }

  measure() {
    const noise = Number(this.controls.noise.value) / 1000, t = this.flight.time;
    const position = this.flight.ball.p.map((x) => x + noise * gauss());
    this.measured.push([t, ...position]);
    this.forecaster.observe(t, position);
    this.known = this.forecaster.forecast();
    const k = this.known.time.findIndex((time) => time >= t + AHEAD - 1e-6);
    this.promises.push({ time: this.known.time[k], position: this.known.mean[k] });
  }

  /** Compare what was forecast for this moment with where the ball is. */
  keepPromises() {
    while (this.promises.length && this.promises[0].time <= this.flight.time + 1e-9) {
      const { position } = this.promises.shift();
      this.errors.push(length(along(position, -1, this.flight.ball.p)));
    }
  }

  /** The forecast as points close enough for a smooth line: between horizons, with the landing among them. */
  pathAhead() {
    const now = this.flight.time, f = this.known, points = [], covariances = [];
    const from = this.measured.at(-1), times = [from[0], ...f.time], means = [from.slice(1), ...f.mean];
    const spreads = [f.covariance[0].map((row) => row.map((x) => x / 4)), ...f.covariance];
    const { landing } = f, isShown = landing.probability > 0.5;
    for (let i = 1; i < times.length; i++) {
      for (let part = 0; part < 1; part += 0.25) {
        const step = times[i] - times[i - 1], t = Math.max(times[i - 1] + part * step, now);
        if (t >= times[i - 1] + (part + 0.25) * step || t > from[0] + SHOWN) continue; // over, or too far ahead
        points.push(this.between(times, means, i, t, isShown ? landing : null));
        covariances.push(spreads[i - 1].map((row, a) => row.map((x, b) => x + part * (spreads[i][a][b] - x))));
      }
    }
    return { points, covariances };
  }

  /** Between two horizons: a cubic, as smooth as flight is; a straight line to and from a landing between them. */
  between(times, means, i, t, landing) {
    let [t0, p0, t1, p1] = [times[i - 1], means[i - 1], times[i], means[i]];
    const isNear = landing && landing.time > times[Math.max(i - 2, 0)] && landing.time < times[Math.min(i + 1, times.length - 1)];
    if (landing && landing.time > t0 && landing.time < t1) {
      if (t < landing.time) [t1, p1] = [landing.time, landing.position];
      else [t0, p0] = [landing.time, landing.position];
    }
    const part = (t - t0) / Math.max(t1 - t0, 1e-6), line = p0.map((x, k) => x + part * (p1[k] - x));
    if (isNear || i < 2 || i + 1 >= times.length) return line;
    const before = means[i - 2], after = means[i + 1], a = part * (1 - part) ** 2, b = part * part * (1 - part);
    const s = part * part * (3 - 2 * part);
    return p0.map((x, k) => x + s * (p1[k] - x) + (a * (p1[k] - before[k]) - b * (after[k] - x)) / 2);
  }

  draw() {
    const { view, flight } = this, now = flight.time;
    view.place();
    if (this.drag) {
      const launch = this.dragLaunch(), ball = { p: launch.position };
      view.shadow(ball);
      view.ball(ball);
      view.arrow(launch.position, ...this.drag.to, length(launch.velocity));
      return;
    }
    view.shadow(flight.ball);
    view.measured(this.measured, now);
    const isFresh = this.known && now - this.measured.at(-1)[0] < MISSED_AFTER && !flight.isOver;
    if (isFresh && this.measured.length > 2) {
      const { points, covariances } = this.pathAhead();
      view.forecast(points, covariances);
      if (this.known.landing.probability > 0.5 && this.known.landing.time > now) view.landing(this.known.landing, now);
    }
    view.ball(flight.ball);
    this.say();
  }

  say() {
    const sorted = [...this.errors].sort((a, b) => a - b), middle = sorted[Math.floor(sorted.length / 2)];
    this.controls.score.textContent = sorted.length > 3
      ? `Forecast ${AHEAD} s ahead: off by ${(1000 * middle).toFixed(0)} mm (median of this ball).`
      : "The forecast begins with the third frame.";
    for (const name of ["noise", "missed", "rate", "top", "side"]) {
      this.controls[`${name}-value`].textContent = this.controls[name].value;
    }
  }
}
