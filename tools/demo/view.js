// The picture: table, net, ball, what was measured of it, the forecast and its region.
"use strict";

const REGION = Math.sqrt(6.2514); // standard deviations of a three-dimensional region with probability 0.9
const REGION_2D = Math.sqrt(4.6052); // and of one on the table

const rgb = (color, alpha = 1) => `rgba(${color.map(Math.round).join(",")},${alpha})`;
const shade = (color, k) => color.map((x) => x * k);

class View {
  constructor(canvas, sport) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.sport = sport;
    this.colors = { forecast: [86, 180, 233], seen: [214, 219, 226], truth: [120, 200, 120] };
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2), { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.width = clientWidth;
    this.height = clientHeight;
    const { eye, target } = this.sport.view;
    this.camera = this.width > this.height
      ? new Camera({ eye, target }, this.width, this.height, 3.4)
      : new Camera({ eye: [0.7, -5, 2.4], target: [0, -0.1, -0.1] }, this.width, this.height, 2.4); // upright: from behind
    this.backdrop = null; // painted when it is needed
  }

  /** Table and net do not change: they are painted once for a size. */
  place() {
    if (!this.backdrop) {
      this.backdrop = document.createElement("canvas");
      this.backdrop.width = this.canvas.width;
      this.backdrop.height = this.canvas.height;
      const pen = this.backdrop.getContext("2d");
      pen.setTransform(this.pen.getTransform());
      this.paintPlace(pen);
    }
    this.pen.save();
    this.pen.setTransform(1, 0, 0, 1, 0, 0);
    this.pen.drawImage(this.backdrop, 0, 0);
    this.pen.restore();
  }

  paintPlace(pen) {
    const { view, surfaces } = this.sport, [table, net, floor] = ["table", "net", "floor"].map((name) =>
      surfaces.find((s) => s.name === name));
    pen.fillStyle = rgb(view.background);
    pen.fillRect(0, 0, this.width, this.height);
    const far = 30, z = floor.high[2], near = this.camera.eye[1] + 0.8;
    this.polygon(pen, [[-far, near, z], [far, near, z], [far, 12, z], [-far, 12, z]], rgb(shade(floor.color, 0.62)));
    const [l, h] = [table.low, table.high], corners = (z) => [[l[0], l[1], z], [h[0], l[1], z], [h[0], h[1], z],
      [l[0], h[1], z]];
    this.polygon(pen, corners(z), rgb([0, 0, 0], 0.25)); // its shadow
    for (const x of [-0.6, 0.6]) for (const y of [-1, 1]) this.line(pen, [[x, y, z], [x, y, -0.03]], [60, 64, 72], 0.04);
    const side = corners(0).map((c, i, all) => [c, all[(i + 1) % 4]]);
    for (const [a, b] of side) {
      this.polygon(pen, [a, b, [b[0], b[1], -0.03], [a[0], a[1], -0.03]], rgb(shade(table.color, 0.6)));
    }
    this.polygon(pen, corners(0), rgb(table.color));
    for (const { path, width } of view.lines) this.painted(pen, path, [225, 228, 232], width);
    this.paintNet(pen, net);
  }

  paintNet(pen, net) {
    const [x0, x1, top] = [net.low[0], net.high[0], net.high[2]];
    this.polygon(pen, [[x0, 0, 0], [x1, 0, 0], [x1, 0, top], [x0, 0, top]], rgb(net.color, 0.16));
    pen.lineWidth = 0.5;
    pen.strokeStyle = rgb(net.color, 0.22);
    for (let x = x0; x < x1; x += 0.04) this.stroke(pen, [[x, 0, 0], [x, 0, top]]);
    for (let z = 0.03; z < top; z += 0.03) this.stroke(pen, [[x0, 0, z], [x1, 0, z]]);
    this.line(pen, [[x0, 0, top], [x1, 0, top]], net.color, 0.014);
    for (const x of [x0, x1]) this.line(pen, [[x, 0, -0.03], [x, 0, top]], [90, 98, 108], 0.022);
  }

  trace(pen, points) {
    pen.beginPath();
    points.forEach((p, i) => {
      const { u, v } = this.camera.project(p);
      if (i) pen.lineTo(u, v);
      else pen.moveTo(u, v);
    });
  }

  stroke(pen, points) {
    this.trace(pen, points);
    pen.stroke();
  }

  polygon(pen, points, color) {
    this.trace(pen, points);
    pen.closePath();
    pen.fillStyle = color;
    pen.fill();
  }

  /** A straight line painted on a level surface, half a width longer at both ends. */
  painted(pen, [a, b], color, width) {
    const d = along(b, -1, a), k = width / 2 / length(d), on = [d[0] * k, d[1] * k, 0], side = [-on[1], on[0], 0];
    const corner = (p, i, j) => along(along(p, i, on), j, side);
    this.polygon(pen, [corner(a, -1, -1), corner(b, 1, -1), corner(b, 1, 1), corner(a, -1, 1)], rgb(color));
  }

  /** A line of some width in metres, seen from the side. */
  line(pen, points, color, width) {
    pen.strokeStyle = rgb(color);
    pen.lineWidth = Math.max(0.8, width * this.camera.project(points[0]).scale);
    pen.lineCap = "round";
    this.stroke(pen, points);
  }

  dot(p, radius, color) {
    const { u, v } = this.camera.project(p);
    this.pen.beginPath();
    this.pen.arc(u, v, radius, 0, 2 * Math.PI);
    this.pen.fillStyle = color;
    this.pen.fill();
  }

  /** What was measured, the later the brighter. */
  measured(frames, now) {
    for (const [t, ...p] of frames) {
      const age = (now - t) / 0.9;
      if (age < 1) this.dot(p, 1.6, rgb(this.colors.seen, 0.85 * (1 - age)));
    }
  }

  shadow(ball) {
    const { low, high } = this.sport.surfaces.find((s) => s.name === "table"), [x, y, z] = ball.p;
    const isOver = x > low[0] && x < high[0] && y > low[1] && y < high[1] && z > 0;
    const floor = this.sport.surfaces.find((s) => s.name === "floor").high[2];
    const { u, v, scale } = this.camera.project([x, y, isOver ? 0.001 : floor]);
    this.pen.beginPath();
    this.pen.ellipse(u, v, 0.022 * scale, 0.01 * scale, 0, 0, 2 * Math.PI);
    this.pen.fillStyle = "rgba(0,0,0,0.4)";
    this.pen.fill();
  }

  ball(ball) {
    const { u, v, scale } = this.camera.project(ball.p), radius = Math.max(this.sport.radius * scale, 3);
    const light = this.pen.createRadialGradient(u - radius / 3, v - radius / 3, radius / 8, u, v, radius);
    light.addColorStop(0, "rgb(255,240,215)");
    light.addColorStop(0.35, rgb(this.sport.view.ballColor));
    light.addColorStop(1, rgb(shade(this.sport.view.ballColor, 0.55)));
    this.pen.beginPath();
    this.pen.arc(u, v, radius, 0, 2 * Math.PI);
    this.pen.fillStyle = light;
    this.pen.fill();
  }

  /** The path that is forecast, and the cloud that contains the ball with probability 0.9 at each moment. */
  forecast(points, covariances) {
    const pen = this.pen;
    points.forEach((p, i) => {
      const e = this.camera.ellipse(p, covariances[i], REGION);
      pen.beginPath();
      pen.ellipse(e.u, e.v, Math.min(e.major, this.width), Math.min(e.minor, this.width), e.turn, 0, 2 * Math.PI);
      pen.fillStyle = rgb(this.colors.forecast, 0.055);
      pen.fill();
    });
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = rgb(this.colors.forecast);
    pen.lineWidth = 2.5;
    this.stroke(pen, points);
  }

  /** Where and when it will land, with the region on the table or floor. */
  landing({ position, time, covariance }, now) {
    const flat = covariance.slice(1).map((row, i) => row.slice(1).map((x, j) => (i === 2 || j === 2 ? 0 : x)));
    const p = [position[0], position[1], position[2] - this.sport.radius];
    const e = this.camera.ellipse(p, flat, REGION_2D), pen = this.pen;
    pen.lineWidth = 1.5;
    pen.strokeStyle = rgb(this.colors.forecast, 0.9);
    pen.beginPath();
    pen.ellipse(e.u, e.v, Math.max(e.major, 3), Math.max(e.minor, 2), e.turn, 0, 2 * Math.PI);
    pen.stroke();
    pen.font = "13px system-ui, sans-serif";
    pen.fillStyle = rgb([235, 238, 242]);
    pen.fillText(`lands in ${Math.max(time - now, 0).toFixed(2)} s`, e.u + 10, e.v + 18);
  }

  /** The throw that a drag would make: an arrow from the ball, and its speed. */
  arrow(position, u, v, speed) {
    const from = this.camera.project(position), pen = this.pen, turn = Math.atan2(v - from.v, u - from.u);
    pen.strokeStyle = pen.fillStyle = rgb(this.sport.view.ballColor);
    pen.lineWidth = 3;
    pen.beginPath();
    pen.moveTo(from.u, from.v);
    pen.lineTo(u, v);
    for (const side of [-0.5, 0.5]) {
      pen.moveTo(u, v);
      pen.lineTo(u - 12 * Math.cos(turn + side), v - 12 * Math.sin(turn + side));
    }
    pen.stroke();
    pen.font = "15px system-ui, sans-serif";
    pen.fillText(`${speed.toFixed(1)} m/s`, Math.min(u + 12, this.width - 70), Math.max(v - 8, 18));
  }
}
