// Clicks through the page of scripts/demo.py: `node demo_worker.mjs IN.json OUT.json`; no test itself.
//
// IN names the page's `url`, a `photo`, a `background`, a file that is `broken`, a `camera` film
// (Y4M), a `film` (WebM), one in `hevc`, and a `folder` for what comes out. OUT gets what the page
// says, and the alpha on its canvas.

import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {launch, open} from './browser.mjs';

const [source, target] = process.argv.slice(2);
const {url, photo, background, broken, camera, film, hevc, folder} =
    JSON.parse(readFileSync(source));
const found = {errors: []};

const text = (page, id) => page.locator(`#${id}`).textContent();
const figures = (page, pattern) =>
    page.waitForFunction(([id, wanted]) => new RegExp(wanted).test(
        document.getElementById(id).textContent), ['figures', pattern]);
const message = async (page) => {
  await page.waitForFunction(() => document.getElementById('message').textContent);
  return text(page, 'message');
};
// Colour and alpha of the canvas, as four numbers a pixel.
const pixels = (page) => page.evaluate(() => {
  const {width, height} = document.getElementById('result');
  return [...document.getElementById('result').getContext('2d')
      .getImageData(0, 0, width, height).data];
});

const browser = await launch('--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
                             `--use-file-for-fake-video-capture=${camera}`);
try {
  const page = await open(browser, url, found.errors);
  await figures(page, 'ready on');
  found.ready = await text(page, 'figures');

  await page.selectOption('#background', 'none');
  await page.setInputFiles('#file', photo);
  await figures(page, 'ms a frame');
  found.transparent = await pixels(page);
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
  found.saved = download.suggestedFilename();
  await download.saveAs(join(folder, found.saved));

  await page.selectOption('#background', 'colour');
  await page.fill('#colour', '#0000ff');
  found.coloured = await pixels(page);
  await page.selectOption('#background', 'picture');
  await page.setInputFiles('#picture', background);
  await page.waitForTimeout(500);
  found.pictured = await pixels(page);
  await page.selectOption('#background', 'blur');
  await page.waitForTimeout(500);
  await page.screenshot({path: join(folder, 'photo.png')});

  await page.setInputFiles('#file', broken);
  found.broken = await message(page);
  await page.setInputFiles('#file', hevc);
  found.hevc = await message(page);

  await page.evaluate(() => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await open(wanted));
  });
  await page.click('#camera');
  await figures(page, 'frames/s');
  await page.waitForTimeout(2000);
  found.camera = await text(page, 'figures');
  found.cameraMessage = await text(page, 'message');
  await page.screenshot({path: join(folder, 'camera.png')});
  await page.evaluate(() => window.stream.getVideoTracks()[0].dispatchEvent(new Event('ended')));
  found.unplugged = await message(page);

  await page.setInputFiles('#file', film);
  await figures(page, 'frames/s');
  await page.waitForTimeout(1500);
  found.film = await text(page, 'figures');
  found.filmMessage = await text(page, 'message');

  // A slow choice does not replace the one after it.
  await page.setInputFiles('#file', film);
  await page.click('#camera');
  await page.evaluate(() => {
    const decode = window.createImageBitmap;
    window.createImageBitmap = (file) => new Promise(
        (resolve) => setTimeout(() => resolve(decode(file)), 1000));
  });
  await page.setInputFiles('#file', photo);
  await page.click('#camera');
  await page.waitForTimeout(2500);
  found.last = await text(page, 'figures');
  found.lastMessage = await text(page, 'message');
  await page.setViewportSize({width: 390, height: 844});
  found.phoneWidth = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.screenshot({path: join(folder, 'phone.png')});
  await page.close();

  const bare = await open(browser, url, found.errors, () => {
    WebAssembly.validate = () => false;
  });
  found.withoutSimd = await message(bare);
  await bare.close();

  const old = await open(browser, url, found.errors, () => {
    delete HTMLScriptElement.supports;
  });
  found.withoutImportMaps = await message(old);
} finally {
  await browser.close();
}

const blind = await launch();
try {
  const page = await open(blind, url, found.errors);
  await figures(page, 'ready on');
  await page.click('#camera');
  found.withoutCamera = await message(page);
} finally {
  await blind.close();
}
writeFileSync(target, JSON.stringify(found));
