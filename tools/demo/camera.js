// From metres to pixels: a camera that looks at the table.
"use strict";

class Camera {
  /** eye and target in m; the picture is `width` x `height` px, and shows at least `wide` m across at the target. */
  constructor({ eye, target }, width, height, wide) {
    const forward = target.map((x, i) => x - eye[i]), distance = length(forward);
    this.forward = forward.map((x) => x / distance);
    const right = cross(this.forward, [0, 0, 1]), size = length(right);
    this.right = right.map((x) => x / size);
    this.down = cross(this.forward, this.right);
    this.eye = eye;
    this.focal = Math.min((width * distance) / wide, (height * distance) / 2.7);
    this.middle = [width / 2, height * 0.6];
  }

  /** Pixel and depth of a point; depth at most 0 is behind the camera. */
  project(p) {
    const d = p.map((x, i) => x - this.eye[i]), depth = dot(d, this.forward), k = this.focal / Math.max(depth, 0.05);
    return { u: this.middle[0] + k * dot(d, this.right), v: this.middle[1] + k * dot(d, this.down), depth, scale: k };
  }

  /** Half axes and turn of the ellipse that a covariance (3, 3) makes in the picture, at `size` standard deviations. */
  ellipse(p, covariance, size) {
    const { u, v, depth, scale } = this.project(p);
    const d = p.map((x, i) => x - this.eye[i]), x = dot(d, this.right) / depth, y = dot(d, this.down) / depth;
    const a = this.right.map((r, i) => scale * (r - x * this.forward[i]));
    const b = this.down.map((r, i) => scale * (r - y * this.forward[i]));
    const spread = (m, n) => m.reduce((sum, mi, i) => sum + mi * dot(covariance[i], n), 0);
    const A = spread(a, a), B = spread(a, b), C = spread(b, b);
    const mean = (A + C) / 2, apart = Math.hypot((A - C) / 2, B);
    return { u, v, major: size * Math.sqrt(mean + apart), minor: size * Math.sqrt(Math.max(mean - apart, 0)),
      turn: 0.5 * Math.atan2(2 * B, A - C) };
  }

  /** Where the ray through a pixel meets the plane y = at. */
  onPlane(u, v, at) {
    const x = (u - this.middle[0]) / this.focal, y = (v - this.middle[1]) / this.focal;
    const ray = this.forward.map((f, i) => f + x * this.right[i] + y * this.down[i]);
    return along(this.eye, (at - this.eye[1]) / ray[1], ray);
  }
}
