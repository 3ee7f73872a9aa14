// Puts a person on a background (Equation 1), with the photo's own colours as F.

import {canvas} from './matting.js';

// The side of the small picture that is blurred, and the filter's radius in its pixels.
const BLURRED_SIDE = 64;
const RADIUS = 3;

/**
 * Paints the person of a frame, and the background behind.
 *
 * @param {HTMLCanvasElement} target as large as the frame.
 * @param {CanvasImageSource} frame
 * @param {HTMLCanvasElement} alpha of any size; its alpha channel is the matte.
 * @param {string | CanvasImageSource | null} background 'blur', a colour, a picture or nothing.
 */
export function paint(target, frame, alpha, background) {
  const {width, height} = target;
  const context = target.getContext('2d');
  context.globalCompositeOperation = 'copy';
  context.drawImage(frame, 0, 0, width, height);
  context.globalCompositeOperation = 'destination-in';
  context.drawImage(alpha, 0, 0, width, height);
  context.globalCompositeOperation = 'destination-over';
  if (background === 'blur') {
    context.drawImage(blurred(frame, alpha, width, height), 0, 0, width, height);
  } else if (typeof background === 'string') {
    context.fillStyle = background;
    context.fillRect(0, 0, width, height);
  } else if (background) {
    drawCovering(context, background, width, height);
  }
}

/** Draws a picture so that it fills a rectangle and keeps its shape. */
function drawCovering(context, picture, width, height) {
  const scale = Math.max(width / picture.width, height / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
}

/** Blurs a frame's background without the person's colours in it; returns a small canvas. */
function blurred(frame, alpha, width, height) {
  const scale = BLURRED_SIDE / Math.max(width, height);
  const [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const small = canvas(w, h);
  const context = small.getContext('2d', {willReadFrequently: true});
  context.drawImage(frame, 0, 0, w, h);
  const picture = context.getImageData(0, 0, w, h);
  context.globalCompositeOperation = 'copy';
  context.drawImage(alpha, 0, 0, w, h);
  const matte = context.getImageData(0, 0, w, h).data;

  // Colours are weighted by 1 - alpha. Two box filters a direction come near a Gaussian one.
  let sums = new Float32Array(4 * w * h);
  for (let i = 0; i < sums.length; i += 4) {
    const weight = Math.max(1 - matte[i + 3] / 255, 1e-3);
    for (let channel = 0; channel < 3; ++channel) {
      sums[i + channel] = weight * picture.data[i + channel];
    }
    sums[i + 3] = weight;
  }
  for (let pass = 0; pass < 2; ++pass) {
    sums = boxFilter(sums, h, w, 4 * w, 4);
    sums = boxFilter(sums, w, h, 4, 4 * w);
  }
  for (let i = 0; i < sums.length; i += 4) {
    for (let channel = 0; channel < 3; ++channel) {
      picture.data[i + channel] = sums[i + channel] / sums[i + 3];
    }
  }
  context.putImageData(picture, 0, 0);
  return small;
}

/** Sums over 2 RADIUS + 1 neighbours along each of `lines` lines of `length` pixels. */
function boxFilter(values, lines, length, lineStep, step) {
  const sums = new Float32Array(values.length);
  for (let line = 0; line < lines; ++line) {
    for (let channel = 0; channel < 4; ++channel) {
      const start = line * lineStep + channel;
      for (let i = 0; i < length; ++i) {
        let sum = 0;
        const last = Math.min(length - 1, i + RADIUS);
        for (let j = Math.max(0, i - RADIUS); j <= last; ++j) sum += values[start + j * step];
        sums[start + i * step] = sum;
      }
    }
  }
  return sums;
}
