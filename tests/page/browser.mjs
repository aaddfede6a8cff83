// A browser at the end of a pipe: as much of the Chrome DevTools Protocol as the page's tests need, and no package.

import { spawn, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'msedge'];

/** The browser that `CHROMIUM` names, or the first that is installed; null where there is none. */
export function findBrowser() {
  if (process.env.CHROMIUM) return existsSync(process.env.CHROMIUM) ? process.env.CHROMIUM : null;
  for (const name of NAMES) {
    try { return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(); } catch { /* the next one */ }
  }
  return null;
}

export class Browser {
  static async start(path) {
    const browser = new Browser();
    browser.home = mkdtempSync(join(tmpdir(), 'duly-page-'));
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--hide-scrollbars', `--user-data-dir=${browser.home}`, '--remote-debugging-pipe', 'about:blank'];
    browser.process = spawn(path, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    browser.calls = new Map(); browser.listeners = []; browser.last = 0;
    browser.ended = new Promise(done => browser.process.on('exit', done));
    browser.ended.then(() => { for (const { reject } of browser.calls.values()) reject(new Error('the browser ended')); });
    let rest = '';
    browser.process.stdio[4].on('data', data => {
      const parts = (rest + data.toString('utf8')).split('\0');
      rest = parts.pop();
      for (const part of parts) browser.hear(JSON.parse(part));
    });
    return browser;
  }
  hear(message) {
    const call = this.calls.get(message.id);
    if (!call) return this.listeners.forEach(listen => listen(message));
    this.calls.delete(message.id);
    if (message.error) call.reject(new Error(`${call.method}: ${message.error.message}`)); else call.resolve(message.result);
  }
  send(method, params = {}, sessionId) {
    const id = ++this.last;
    this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.calls.set(id, { resolve, reject, method }));
  }
  async open(url, { width = 1280, height = 900, dark = false } = {}) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, targetId, sessionId);
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await page.send(`${domain}.enable`);
    await page.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
    await page.send('Page.navigate', { url });
    await page.until('document.readyState === "complete"');
    return page;
  }
  async stop() {
    this.send('Browser.close').catch(() => {});
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 3000);
    await this.ended;
    clearTimeout(timer);
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Page {
  constructor(browser, targetId, sessionId) {
    Object.assign(this, { browser, targetId, sessionId, problems: [] });
    browser.listeners.push(message => { if (message.sessionId === sessionId) this.hear(message); });
  }
  /** Anything that a page without faults and without network never does. */
  hear({ method, params }) {
    if (method === 'Runtime.exceptionThrown') this.problems.push(`exception: ${params.exceptionDetails.exception?.description ?? params.exceptionDetails.text}`);
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error') this.problems.push(`console: ${params.args.map(a => a.description ?? a.value).join(' ')}`);
    if (method === 'Log.entryAdded' && params.entry.level === 'error') this.problems.push(`log: ${params.entry.text}`);
    if (method === 'Network.requestWillBeSent' && !/^(file|blob|about):/.test(params.request.url)) this.problems.push(`request: ${params.request.url}`);
  }
  send(method, params) { return this.browser.send(method, params, this.sessionId); }
  async run(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }
  async until(expression, seconds = 30) {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await new Promise(done => setTimeout(done, 20))) {
      const value = await this.run(expression);
      if (value) return value;
    }
    throw new Error(`the page did not come to this in ${seconds} s: ${expression}`);
  }
  async choose(selector, files) {
    const { root } = await this.send('DOM.getDocument');
    const { nodeId } = await this.send('DOM.querySelector', { nodeId: root.nodeId, selector });
    await this.send('DOM.setFileInputFiles', { nodeId, files });
  }
  async picture() {
    const { cssContentSize } = await this.send('Page.getLayoutMetrics');
    const clip = { x: 0, y: 0, width: cssContentSize.width, height: cssContentSize.height, scale: 1 };
    return Buffer.from((await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip })).data, 'base64');
  }
  close() { return this.browser.send('Target.closeTarget', { targetId: this.targetId }); }
}
