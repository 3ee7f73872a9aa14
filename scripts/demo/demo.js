// The page: a camera, a photo or a video goes in; the person on a background comes out.

import {isWebGPUSupported} from '@litertjs/core';

import {paint} from './composition.js';
import {canvas, loadNetwork, UserError} from './matting.js';

// Pictures are shrunk to what every browser's canvas can hold.
const LONGEST_SIDE = 4096;
const CAMERA_SIZE = {width: {ideal: 1280}, height: {ideal: 720}};
// The figures are means over this many seconds.
const MEASURED_SECONDS = 1;

const CAMERA_PROBLEMS = {
  NotFoundError: 'No camera was found; connect one, or choose a photo or a video.',
  NotAllowedError: 'The camera is blocked; allow it in the browser\'s settings for this page.',
  NotReadableError: 'Another program uses the camera; close it and try again.',
};

const page = Object.fromEntries(
    [...document.querySelectorAll('[id]')].map((element) => [element.id, element]));

let network = null;
let picture = null;      // The background picture.
let source = null;       // A photo, {image}, or moving pictures, {video, stream, url}.
let choices = 0;         // How often a source was chosen: a slow one may come too late.
let loads = 0;           // How often a network was chosen, likewise.
let camera = null;       // The identifier of the camera that was chosen; null for any.
let shown = [];          // When frames were shown, and how long the network took.

/** Runs a handler; a problem becomes one sentence on the page. */
async function guarded(handler) {
  try {
    await handler();
  } catch (error) {
    if (!(error instanceof UserError)) console.error(error);
    page.message.textContent = error instanceof UserError ? error.message :
        `Something went wrong (${error.message}); reload the page.`;
  }
}

function listen(element, event, handler) {
  element.addEventListener(event, () => {
    page.message.textContent = '';
    return guarded(handler);
  });
}

/** Loads the network for the chosen processor. */
async function startNetwork() {
  page.figures.textContent = 'Loading the network…';
  const load = ++loads;
  const before = network;
  network = null;
  const wanted = page.processor.value;
  const loaded = await loadNetwork(wanted).catch((error) => {
    if (load !== loads) return null;
    page.figures.textContent = '';
    throw error;
  }).finally(() => before?.delete());  // Its last frame is long done.
  if (load !== loads) {
    loaded?.delete();
    return;
  }
  network = loaded;
  page.figures.textContent = `${network.name}, ready on ${network.processor}`;
  page.camera.disabled = page.file.disabled = false;
  if (wanted === 'webgpu' && network.processor !== 'GPU') {
    page.processor.value = 'wasm';
    page.message.textContent = 'This GPU cannot run all layers of the network; the CPU does.';
  }
  await repaint();
}

/** Ends the camera or the video that is shown. */
function stop() {
  if (source?.video) source.video.pause();
  source?.stream?.getTracks().forEach((track) => track.stop());
  if (source?.url) URL.revokeObjectURL(source.url);
  source = null;
  shown = [];
  choices += 1;
  page.turn.hidden = true;
  page.result.classList.remove('mirrored');
}

async function startCamera() {
  stop();
  if (!navigator.mediaDevices) {
    throw new UserError('Browsers give a camera to pages from https or localhost only; open this ' +
                        'page that way, or choose a photo.');
  }
  const choice = choices;
  let stream;
  try {
    const wanted = camera ? {deviceId: {exact: camera}} : {facingMode: 'user'};
    stream = await navigator.mediaDevices.getUserMedia(
        {video: {...wanted, ...CAMERA_SIZE}, audio: false});
  } catch (error) {
    if (choice !== choices) return;
    camera = null;  // It may be gone.
    throw new UserError(CAMERA_PROBLEMS[error.name] ||
                        `The camera does not start (${error.message}); try again.`);
  }
  if (choice !== choices) {
    stream.getTracks().forEach((track) => track.stop());
    return;
  }
  const video = Object.assign(document.createElement('video'), {srcObject: stream});
  if (!await play({video, stream})) return;
  stream.getVideoTracks()[0].addEventListener('ended', () => guarded(async () => {
    if (source?.stream !== stream) return;
    stop();
    throw new UserError('The camera has stopped; connect it again, or choose another one.');
  }));
  const {deviceId, facingMode} = stream.getVideoTracks()[0].getSettings();
  camera = deviceId;
  page.result.classList.toggle('mirrored', facingMode !== 'environment');
  const cameras = await listCameras();
  if (choice !== choices) return;
  page.turn.hidden = cameras.length < 2;
}

/** Returns the identifiers of all cameras. */
async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({kind}) => kind === 'videoinput').map(({deviceId}) => deviceId);
}

/** Shows the next camera. */
async function turnCamera() {
  const cameras = await listCameras();
  camera = cameras[(cameras.indexOf(camera) + 1) % cameras.length];
  return startCamera();
}

/** Shows a chosen photo or video. */
async function openFile() {
  const [file] = page.file.files;
  if (!file) return;
  page.file.value = '';  // The same file may be chosen again.
  stop();
  const choice = choices;
  const unreadable = () => new UserError(`${file.name} cannot be read as a photo or a video; ` +
                                         'choose a JPEG, PNG, WebP, MP4 or WebM file.');
  if (file.type.startsWith('video/')) {
    const url = URL.createObjectURL(file);
    const video = Object.assign(document.createElement('video'), {src: url, loop: true});
    try {
      await play({video, url});
      // A browser plays the sound even if it cannot decode the pictures.
      if (source?.video === video && !video.videoWidth) throw unreadable();
    } catch {
      stop();
      throw unreadable();
    }
  } else {
    const image = await createImageBitmap(file).catch(() => null);
    if (choice !== choices) return;
    if (!image) throw unreadable();
    source = {image};
    await repaint();
  }
}

/** Starts moving pictures; every new frame is shown. Resolves to whether they are still wanted. */
async function play(moving) {
  Object.assign(moving.video, {muted: true, playsInline: true});
  source = moving;
  try {
    await moving.video.play();
  } catch (error) {
    // Another choice has stopped it.
    if (source !== moving) return false;
    throw error;
  }
  if (source !== moving) return false;
  const next = moving.video.requestVideoFrameCallback ?
      (callback) => moving.video.requestVideoFrameCallback(callback) : requestAnimationFrame;
  // Frames come one after another: a canvas for each would fill the memory.
  const still = canvas(1, 1);
  const loop = () => guarded(async () => {
    if (source !== moving) return;
    await show(moving.video, moving.video.videoWidth, moving.video.videoHeight, still);
    next(loop);
  });
  next(loop);
  return true;
}

/** Shows a photo again, with a new background or network. Videos go on by themselves. */
async function repaint() {
  if (!source?.image) return;
  const {image} = source;
  await show(image, image.width, image.height, canvas(1, 1));
}

/** Cuts the person out of a frame of a size and shows the result; `still` takes a copy of it. */
async function show(frame, frameWidth, frameHeight, still) {
  if (!network || !frameWidth) return;
  const shownSource = source;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(frameWidth, frameHeight));
  const [width, height] = [frameWidth, frameHeight].map((side) => Math.round(side * scale));
  // A video moves on while the network works: the matte belongs to this frame.
  Object.assign(still, {width, height});
  still.getContext('2d').drawImage(frame, 0, 0, width, height);
  const start = performance.now();
  const alpha = await network.alpha(still, source.video);
  const milliseconds = performance.now() - start;
  if (source !== shownSource) return;
  if (page.result.width !== width || page.result.height !== height) {
    Object.assign(page.result, {width, height});
  }
  paint(page.result, still, alpha, background());
  page.save.disabled = false;
  showFigures(milliseconds);
}

function background() {
  return {blur: 'blur', colour: page.colour.value, picture, none: null}[page.background.value];
}

function showFigures(milliseconds) {
  const now = performance.now();
  shown.push({now, milliseconds});
  shown = shown.filter((each) => now - each.now < 1000 * MEASURED_SECONDS);
  const mean = shown.reduce((sum, each) => sum + each.milliseconds, 0) / shown.length;
  const rate = source.video ? `${(shown.length / MEASURED_SECONDS).toFixed(0)} frames/s, ` : '';
  page.figures.textContent =
      `${rate}${mean.toFixed(1)} ms a frame for ${network.name} (${network.processor})`;
}

/** Saves what is shown; a mirrored camera's picture comes out the right way round. */
function save() {
  const link = document.createElement('a');
  page.result.toBlob((blob) => {
    link.href = URL.createObjectURL(blob);
    link.download = 'cutout.png';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

async function openPicture() {
  const [file] = page.picture.files;
  if (!file) return;
  picture = await createImageBitmap(file).catch(() => {
    throw new UserError(`${file.name} cannot be read as a picture; choose a JPEG, PNG or WebP ` +
                        'file.');
  });
  await repaint();
}

listen(page.camera, 'click', startCamera);
listen(page.turn, 'click', turnCamera);
listen(page.file, 'change', openFile);
listen(page.picture, 'change', openPicture);
listen(page.colour, 'input', repaint);
listen(page.processor, 'change', startNetwork);
listen(page.save, 'click', save);
listen(page.background, 'change', () => {
  page.colour.hidden = page.background.value !== 'colour';
  page.choose_picture.hidden = page.background.value !== 'picture';
  return repaint();
});
page.choose_processor.hidden = !isWebGPUSupported();
guarded(startNetwork);
