// A small simulator: one ball in the air (gravity, drag, lift, decay of spin) and on table, net and floor. The laws are
// those of ballcast/sim; its numbers come from Python with the page. Lengths in m, times in s, spins in rad/s.
"use strict";

const STEP = 1 / 500; // s, of Runge and Kutta's fourth-order rule
const MIN_REBOUND = 0.03; // m/s: a ball that would leave a surface more slowly has come to rest

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const along = (a, k, b) => [a[0] + k * b[0], a[1] + k * b[1], a[2] + k * b[2]];
const length = (a) => Math.sqrt(dot(a, a));

/** Acceleration, and the rate at which spin decays, of a ball with velocity v and spin w. */
function air(sport, v, w) {
  const { drag, lift, constant, radius, gravity, spinDecay } = sport;
  const speed = Math.max(length(v), 1e-9), turn = cross(w, v), size = Math.max(length(turn), 1e-12);
  const S = (radius * size) / speed ** 2;
  const q = speed ** 2 / (speed ** 2 + lift.speed ** 2);
  const dip = q ** 4 / (1 + ((S - lift.at + lift.shift * q) / lift.width) ** 2);
  const Cd = drag.cd - drag.dip * dip, CL = S / (lift.a + lift.b * S) - S * lift.depth * dip;
  const a = along([0, 0, -gravity], -constant * Cd * speed, v);
  return { acceleration: along(a, (constant * CL * speed ** 2) / size, turn), decay: -spinDecay * speed };
}

/** The ball dt later, in free flight. */
function fly(sport, ball, dt) {
  const rates = (b) => ({ p: b.v, ...air(sport, b.v, b.w) });
  const moved = (r, h) => ({ p: along(ball.p, h, r.p), v: along(ball.v, h, r.acceleration),
    w: ball.w.map((x) => x * (1 + h * r.decay)) });
  const k1 = rates(ball), k2 = rates(moved(k1, dt / 2)), k3 = rates(moved(k2, dt / 2)), k4 = rates(moved(k3, dt));
  const mean = (f) => [0, 1, 2].map((i) => (f(k1)[i] + 2 * f(k2)[i] + 2 * f(k3)[i] + f(k4)[i]) / 6);
  const decay = (k1.decay + 2 * k2.decay + 2 * k3.decay + k4.decay) / 6;
  return { p: along(ball.p, dt, mean((k) => k.p)), v: along(ball.v, dt, mean((k) => k.acceleration)),
    w: ball.w.map((x) => x * Math.exp(dt * decay)) };
}

/** How far the ball is from touching a surface, and the direction away from it. */
function gapAndNormal(sport, surface, p) {
  const d = p.map((x, i) => x - Math.min(Math.max(x, surface.low[i]), surface.high[i])), distance = length(d);
  const normal = distance > 1e-9 ? d.map((x) => x / distance) : [0, 0, 1];
  return { gap: distance - sport.radius, normal };
}

/** Velocity and spin after contact: the speed of approach is reversed by e, friction is at most mu times the impulse. */
function bounce(sport, surface, ball, n) {
  const vn = dot(ball.v, n), approach = -vn, R = sport.radius, inertia = sport.inertia;
  const { e, at, slope, min } = surface.restitution;
  const back = approach * Math.min(1, Math.max(e + slope * (approach - at), min)), impulse = back - vn;
  const arm = n.map((x) => -R * x), slip = along(along(ball.v, -vn, n), 1, cross(ball.w, arm)), speed = length(slip);
  const v = along(ball.v, impulse, n);
  if (speed < 1e-12) return { p: ball.p, v, w: ball.w, back };
  const grip = (inertia / (1 + inertia)) * speed, push = -Math.min(grip, surface.friction * impulse) / speed;
  const kick = slip.map((x) => push * x);
  return { p: ball.p, v: along(v, 1, kick), w: along(ball.w, 1 / (inertia * R * R), cross(arm, kick)), back };
}

/** The first surface that the ball goes into within dt, and when: {surface, dt}, or null. */
function firstContact(sport, ball, dt) {
  let first = null;
  for (const surface of sport.surfaces) {
    const entered = (h) => {
      const b = fly(sport, ball, h), { gap, normal } = gapAndNormal(sport, surface, b.p);
      return gap < 0 && dot(b.v, normal) < 0;
    };
    if (!entered(dt)) continue;
    let low = 0, high = dt;
    for (let i = 0; i < 30; i++) {
      const middle = (low + high) / 2;
      if (entered(middle)) high = middle;
      else low = middle;
    }
    if (!first || high < first.dt) first = { surface, dt: high };
  }
  return first;
}

/** A ball in flight: advance(time) takes it there; `contacts` lists what it has touched. */
class Flight {
  constructor(sport, { position, velocity, spin }) {
    this.sport = sport;
    this.ball = { p: [...position], v: [...velocity], w: [...spin] };
    this.time = 0;
    this.contacts = [];
    this.isOver = false; // it lies still, or is far away
  }

  advance(until) {
    while (this.time < until - 1e-12 && !this.isOver) this.step(Math.min(STEP, until - this.time));
    return this.ball;
  }

  step(dt) {
    const contact = firstContact(this.sport, this.ball, dt), ahead = contact ? contact.dt : dt;
    this.ball = fly(this.sport, this.ball, ahead);
    this.time += ahead;
    if (contact) this.touch(contact.surface);
    if (length(this.ball.p) > 12) this.isOver = true;
  }

  touch(surface) {
    const { normal } = gapAndNormal(this.sport, surface, this.ball.p);
    const { back, ...ball } = bounce(this.sport, surface, this.ball, normal);
    this.contacts.push({ time: this.time, surface: surface.name, position: this.ball.p });
    this.ball = ball;
    if (back < MIN_REBOUND && normal[2] > 0.99) this.isOver = true;
  }
}
