// Runs an exported network in the browser: pixels in, an alpha out.
//
//   const network = await loadNetwork('wasm');
//   const alpha = await network.alpha(frame);    // a canvas, S x S; its alpha channel is the matte

import {loadAndCompile, loadLiteRt, supportsFeature, Tensor} from '@litertjs/core';

// A module with one function of SIMD: i32.const 0, i8x16.splat, drop.
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26,
  11]);
const MOST_THREADS = 4;

let loading = null;  // The runtime: a promise of its number of threads.

/** An error whose message is for the person who looks at the page. */
export class UserError extends Error {}

/** Loads LiteRT, with as many threads as the browser and the server's headers allow. */
async function loadRuntime() {
  if (typeof WebAssembly !== 'object' || !WebAssembly.validate(SIMD_MODULE)) {
    throw new UserError('This browser lacks WebAssembly with SIMD; use a current Chrome, Edge, ' +
                        'Firefox or Safari.');
  }
  const threaded = self.crossOriginIsolated && await supportsFeature('threads');
  await loadLiteRt('litert/wasm/', {threads: threaded});
  return threaded ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
}

/** Fetches a file beside the page. */
async function fetchFile(name) {
  const response = await fetch(name);
  if (!response.ok) throw new UserError(`${name} is missing; build the page again.`);
  return response;
}

/**
 * Loads the page's network.
 *
 * @param {'wasm' | 'webgpu'} accelerator what it should run on. Where a GPU cannot run all of the
 *     network, the CPU does.
 * @returns {Promise<{name: string, size: number, processor: string,
 *     alpha: function(CanvasImageSource, object=): Promise<HTMLCanvasElement>,
 *     delete: function(): void}>}
 */
export async function loadNetwork(accelerator) {
  loading ??= loadRuntime();  // A second call may come while the first one loads.
  const threads = await loading;
  const [about, file] = await Promise.all(
      [fetchFile('network.json').then((response) => response.json()),
       fetchFile('network.tflite').then((response) => response.arrayBuffer())]);
  const bytes = new Uint8Array(file);
  let model;
  try {
    model = await loadAndCompile(bytes, {accelerator, cpuOptions: {numThreads: threads}});
    if (accelerator === 'webgpu' && !model.isFullyAccelerated) throw new Error('not all layers');
  } catch (error) {
    if (accelerator === 'wasm') {
      throw new UserError(`The network cannot be loaded (${error.message}); build the page again.`);
    }
    model?.delete();
    return loadNetwork('wasm');
  }
  const processor = accelerator === 'webgpu' ? 'GPU' :
      `CPU, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  return {name: about.name, size: about.size, processor, alpha: alphaFunction(model, about),
          delete: () => model.delete()};
}

/**
 * Makes the function that computes the alpha of a picture.
 *
 * A network with a memory is given its last alpha if both pictures are frames of one video, the
 * second argument.
 */
function alphaFunction(model, {size, image, remembers}) {
  const small = canvas(size, size);
  const matte = canvas(size, size);
  const pixels = small.getContext('2d', {willReadFrequently: true});
  pixels.imageSmoothingQuality = 'high';
  pixels.globalCompositeOperation = 'copy';  // Nothing of the last picture shines through.
  const drawn = matte.getContext('2d', {willReadFrequently: true});
  const result = drawn.createImageData(size, size);
  const input = image === 'uint8' ? new Uint8Array(3 * size * size) :
      new Float32Array(3 * size * size);
  const unit = image === 'uint8' ? 1 : 1 / 255;
  const last = {video: undefined, alpha: new input.constructor(size * size)};
  return async (frame, video) => {
    pixels.drawImage(frame, 0, 0, size, size);
    const {data} = pixels.getImageData(0, 0, size, size);
    for (let i = 0, j = 0; j < input.length; i += 4, j += 3) {
      input[j] = data[i] * unit;
      input[j + 1] = data[i + 1] * unit;
      input[j + 2] = data[i + 2] * unit;
    }
    const tensors = [new Tensor(input, [1, size, size, 3])];
    if (remembers) {
      if (!video || video !== last.video) last.alpha.fill(0);
      tensors.push(new Tensor(last.alpha, [1, size, size, 1]));
    }
    const [output] = await model.run(tensors);
    const values = await output.data();
    const opaque = values instanceof Float32Array ? 255 : 1;
    for (let i = 0; i < values.length; ++i) {
      // The array clamps and rounds.
      result.data[4 * i + 3] = opaque * values[i];
      last.alpha[i] = result.data[4 * i + 3] * unit;
    }
    last.video = video;
    output.delete();
    for (const tensor of tensors) tensor.delete();
    drawn.putImageData(result, 0, 0);
    return matte;
  };
}

/** Makes a canvas of a size. */
export function canvas(width, height) {
  return Object.assign(document.createElement('canvas'), {width, height});
}
