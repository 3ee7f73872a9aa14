// Opens the page of scripts/demo.py in headless Chromium, for the scripts beside this one.

import {createRequire} from 'node:module';
import {fileURLToPath, pathToFileURL} from 'node:url';

// The packages are those of the page.
const require = createRequire(fileURLToPath(new URL('../scripts/demo/package.json', import.meta.url)));
const {chromium: playwright} = require('playwright-core');
const {default: packed} = await import(pathToFileURL(require.resolve('@sparticuz/chromium')));
const chromium = packed.default ?? packed;

/** Starts the browser. */
export async function launch(...flags) {
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    args: ['--no-sandbox', '--headless=new', '--disable-background-networking',
           '--disable-component-update', ...flags],
    headless: true,
  });
}

/** Opens the page; adds whatever goes wrong, and every request to elsewhere, to `errors`. */
export async function open(browser, url, errors, prepare = null) {
  const page = await browser.newPage({viewport: {width: 900, height: 900}});
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) {
      errors.push(`asks for ${request.url()}`);
    }
  });
  if (prepare) await page.addInitScript(prepare);
  await page.goto(url);
  return page;
}
