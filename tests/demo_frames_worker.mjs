// Mattes frames with the network of scripts/demo.py's page:
// `node demo_frames_worker.mjs IN.json OUT.json`; no test itself.
//
// IN names the page's `url` and `frames`: each is a `video`, any name or null for a still, and
// `pixels`, RGBA of a square. OUT gets `errors`, the `processor` and the `alphas`, 0 to 255.

import {readFileSync, writeFileSync} from 'node:fs';

import {launch, open} from './browser.mjs';

const [source, target] = process.argv.slice(2);
const {url, frames} = JSON.parse(readFileSync(source));
const errors = [];
const browser = await launch();
try {
  const page = await open(browser, url, errors);
  const found = await page.evaluate(async (frames) => {
    const {canvas, loadNetwork} = await import('./matting.js');
    const network = await loadNetwork('wasm');
    const alphas = [];
    for (const {video, pixels} of frames) {
      const side = Math.sqrt(pixels.length / 4);
      const frame = canvas(side, side);
      frame.getContext('2d').putImageData(
          new ImageData(new Uint8ClampedArray(pixels), side, side), 0, 0);
      const matte = await network.alpha(frame, video);
      const {data} = matte.getContext('2d').getImageData(0, 0, side, side);
      alphas.push([...data].filter((_, index) => index % 4 === 3));
    }
    return {alphas, processor: network.processor};
  }, frames);
  writeFileSync(target, JSON.stringify({...found, errors}));
} finally {
  await browser.close();
}
