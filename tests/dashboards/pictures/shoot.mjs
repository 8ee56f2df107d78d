// shoot.mjs FOLDER: draws each FOLDER/NAME.json with page.js beside it in headless Chromium, writes FOLDER/NAME.png, and
// prints {NAME: {drawn: {panel's id: [what it shows]}, errors: [what the browser complained of]}}.

import { readFileSync, readdirSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [folder] = process.argv.slice(2);
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
const result = {};
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const name = file.replace('.json', '');
  const errors = [];
  const page = await browser.newPage({ viewport: { width: 1650, height: 1000 } });
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  // Icons are the only thing that is not in the page itself.
  await page.route('http://page/**', (route) => {
    const path = new URL(route.request().url()).pathname;
    if (path === '/') {
      return route.fulfill({ contentType: 'text/html', body: '<!doctype html><link rel="stylesheet" href="/page.css"><div id="root"></div>' });
    }
    const file = path.startsWith('/public/') ? `node_modules/@grafana/ui/dist${path}` : `.${path}`;
    const types = { svg: 'image/svg+xml', css: 'text/css', js: 'text/javascript' };
    return route.fulfill({ contentType: types[path.split('.').pop()], body: readFileSync(file) });
  });
  await page.goto('http://page/');
  await page.evaluate((input) => { window.input = input; }, JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')));
  await page.addScriptTag({ url: '/page.js' });
  const drawn = await page.waitForFunction(() => window.drawn, null, { timeout: 30000 }).then((value) => value.jsonValue(), () => ({}));
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  result[name] = { drawn, errors };
  await page.close();
}
await browser.close();
console.log(JSON.stringify(result));
