// Tests docs/verify.html in a real browser, or checks one pack with it. Node alone, no packages.
//
//   node tests/page/run.mjs                         every case, the vectors, and a large pack
//   node tests/page/run.mjs --pack PACK.zip --key FILE [--older FILE] [--list FILE] [--complete] [--expect good|bad]
//   node tests/page/run.mjs --pictures DIR          pictures of the page, to be looked at
//   node tests/page/run.mjs --write DIR             every case's pack and key, for another verifier to try
//   node tests/page/run.mjs --against VERIFIER      whether duly-verify names the same codes in every case
//   node tests/page/run.mjs --seal                  what scripts/seal-page runs: hashes into the page's policy, its own into verify.html.sha256
//
// With --pack the exit code is 0 (holds), 1 (does not) or 2 (could not be checked, or no key); with --expect 0 if the
// verdict is the expected one, else 1. Without a browser nothing is tested: it says SKIPPED and exits with 77.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Browser, findBrowser } from './browser.mjs';
import { CASES, build } from './cases.mjs';
import { VECTORS } from './vectors.mjs';

const PAGE = fileURLToPath(new URL('../../docs/verify.html', import.meta.url));
const PUBLISHED = `${PAGE}.sha256`, published = html => `${createHash('sha256').update(html).digest('hex')}  verify.html\n`;
const URL_OF_PAGE = pathToFileURL(PAGE).href;
const { values: args } = parseArgs({ options: {
  pack: { type: 'string' }, key: { type: 'string' }, older: { type: 'string' }, list: { type: 'string' }, complete: { type: 'boolean', default: false }, expect: { type: 'string' },
  pictures: { type: 'string' }, write: { type: 'string' }, against: { type: 'string' }, seal: { type: 'boolean', default: false }, only: { type: 'string' },
} });

/** Lets the page check a pack as a person would: files chosen, texts typed, the button pressed. */
async function checkOn(page, { pack, key, older, list, approvers, listKeys, complete }, seconds = 60) {
  await page.choose('#pack', [resolve(pack)]);
  if (list) await page.choose('#list', [resolve(list)]);
  const type = (id, value) => page.run(`document.getElementById(${JSON.stringify(id)}).value = ${JSON.stringify(value ?? '')}`);
  await type('key', key); await type('older', older); await type('approvers', approvers); await type('listkeys', listKeys);
  await page.run(`document.getElementById('complete').checked = ${Boolean(complete)}; document.getElementById('go').click()`);
  await page.until(`document.documentElement.dataset.verdict || (!document.getElementById('form-error').hidden && 'refused')`, seconds);
  const said = await page.run('window.dulyResult || { verdict: "refused", sentence: [document.getElementById("form-error").textContent], codes: {} }');
  return { ...said, title: await page.run('document.getElementById("verdict")?.textContent ?? ""') };
}
const word = page => page.run('document.body.innerText');

async function one(browser) {
  const read = path => (path ? readFileSync(path, 'utf8') : '');
  const page = await browser.open(URL_OF_PAGE);
  const result = await checkOn(page, { pack: args.pack, key: read(args.key), older: read(args.older), list: args.list, complete: args.complete }, 1800);
  console.log(`${result.verdict}: ${result.sentence.join('. ')}`);
  for (const f of result.findings ?? []) console.log(`  ${f.code}${f.leaf === null ? '' : `, leaf ${f.leaf}`}: ${f.what}`);
  for (const what of [...(result.unchecked ?? []), ...(result.beside ?? [])]) console.log(`  not checked: ${what}`);
  for (const line of result.rehearsal ?? []) console.log(`  ${line}`);
  if (result.equation) console.log(`  ${JSON.stringify(result.equation)}`);
  for (const problem of page.problems) console.log(`  the page itself: ${problem}`);
  if (page.problems.length) return 2;
  if (args.expect) return result.verdict === args.expect ? 0 : 1;
  return { good: 0, bad: 1 }[result.verdict] ?? 2;
}

/** Nothing was tested, which is neither good nor bad: what automake and others take for "skipped". */
const SKIPPED = 77;

/** Whether a verifier says another thing of a case's lanes than it must, where the case tells. */
const saysOtherwise = (c, notLive, unsaid) => c.lanes && JSON.stringify([notLive ?? {}, unsaid ?? []]) !== JSON.stringify([c.lanes.notLive, c.lanes.unsaid]);

const FORBIDDEN = /\b(received|read by|seen|reached|success|successfully|failed person)\b/i;
async function all(browser, folder) {
  let failed = 0;
  const report = (name, problem) => { if (problem) failed++; console.log(`${problem ? 'FAILED' : 'ok    '} ${name}${problem ? `: ${problem}` : ''}`); };
  for (const c of CASES.filter(c => !args.only || c.name.includes(args.only))) {
    const made = build(c), at = (name, content) => { if (content === null) return null; const path = join(folder, name); writeFileSync(path, content); return path; };
    const page = await browser.open(URL_OF_PAGE);
    const result = await checkOn(page, { ...made, pack: at('pack.zip', made.pack), list: at(made.listName, made.list) });
    const codes = Object.keys(result.codes).sort().join(), wanted = [...c.codes].sort().join(), shown = await word(page);
    const says = FORBIDDEN.exec(shown)?.[0];
    report(c.name, page.problems[0] ?? (result.verdict !== c.verdict ? `verdict ${result.verdict}, not ${c.verdict}: ${result.sentence} ${JSON.stringify(result.findings)}`
      : codes !== wanted ? `codes ${codes}, not ${wanted}: ${JSON.stringify(result.findings)}`
        : c.leaf !== undefined && result.findings.find(f => f.code === c.codes[0]).leaf !== c.leaf ? `leaf ${result.findings[0].leaf}, not ${c.leaf}`
          : c.verdict !== 'good' && /verified/i.test(shown) ? 'it says verified' : says ? `it says ${says}`
            : saysOtherwise(c, result.notLive, result.lanesUnsaid) ? `not live are ${JSON.stringify(result.notLive)}, not said ${result.lanesUnsaid}`
            : c.says && !shown.includes(c.says) ? `it does not say ${c.says}` : null));
    await page.close();
  }
  report('the published hash is that of the page', existsSync(PUBLISHED) && readFileSync(PUBLISHED, 'utf8') === published(readFileSync(PAGE, 'utf8')) ? null : 'run scripts/seal-page');
  if (!args.only) {
    const page = await browser.open(URL_OF_PAGE);
    for (const [name, expression] of VECTORS) report(name, (await page.run(expression).catch(e => e.message)) === true ? null : 'differs');
    report('no network request, no error', page.problems[0] ?? null);
    for (const [name, expression] of WALLS) report(name, (await page.run(expression).catch(e => e.message)) === true ? null : 'it is not refused');
    await page.close();
    for (const name of ['incident', 'person']) report(`the published pack examples/evidence/${name}.zip`, await example(browser, name));
    report('files that are dropped', await dropped(browser));
    report('a browser without cryptography of its own', await alone(browser, folder));
    report('a large pack keeps the page awake', await large(browser, folder));
  }
  console.log(failed ? `${failed} failed` : 'the page does what it must');
  return failed ? 1 : 0;
}

const violation = (directive, tries) => `new Promise(done => { document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective === '${directive}'), { once: true }); setTimeout(() => done(false), 2000); ${tries} })`;
/** What the page's policy must refuse, whatever a pack could smuggle in. */
const WALLS = [
  ['the policy refuses a request', violation('connect-src', "fetch('http://127.0.0.1:9/').catch(() => {});")],
  ['the policy refuses an image from elsewhere', violation('img-src', "new Image().src = 'http://127.0.0.1:9/';")],
  ['the policy refuses another script', violation('script-src-elem', "const s = document.createElement('script'); s.textContent = 'window.smuggled = 1'; document.body.append(s);")],
  ['the policy refuses a handler in markup', violation('script-src-attr', "document.body.insertAdjacentHTML('beforeend', '<b onclick=\"1\">x</b>'); document.body.lastChild.click();")],
];

/** Where a browser gives local files no WebCrypto, the page's own must do. */
async function alone(browser, folder) {
  const path = join(folder, 'pack.zip'), page = await browser.open(URL_OF_PAGE);
  await page.run("Object.defineProperty(crypto, 'subtle', { value: undefined })");
  for (const [c, verdict] of [[{}, 'good'], [CASES.find(c => c.name.startsWith('a signature with one bit')), 'bad']]) {
    const made = build(c);
    writeFileSync(path, made.pack);
    const result = await checkOn(page, { ...made, pack: path });
    if (result.verdict !== verdict || result.native.ed25519) return `verdict ${result.verdict}, not ${verdict}`;
    await page.run("[...document.querySelectorAll('button')].find(b => b.textContent === 'Check another pack').click()");
  }
  await page.close();
  return null;
}

/** A pack that is published for implementers, with the list that belongs to it. */
async function example(browser, name) {
  const at = file => fileURLToPath(new URL(`../../examples/evidence/${file}`, import.meta.url)), page = await browser.open(URL_OF_PAGE);
  const result = await checkOn(page, { pack: at(`${name}.zip`), key: readFileSync(at('log.vkey'), 'utf8'), list: name === 'incident' ? at('list.csv') : null });
  await page.close();
  return result.verdict === 'good' ? null : `verdict ${result.verdict}: ${result.sentence}`;
}

/** A pack and its key, let fall on the page. */
async function dropped(browser) {
  const { pack, key } = build({}), page = await browser.open(URL_OF_PAGE);
  await page.run(`{ const files = new DataTransfer(); files.items.add(new File([Uint8Array.from(atob('${pack.toString('base64')}'), c => c.charCodeAt(0))], 'pack.zip')); files.items.add(new File([${JSON.stringify(key)}], 'log.vkey'));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true })); }`);
  await page.until("document.getElementById('key').value");
  await page.run("document.getElementById('go').click()");
  const verdict = await page.until('document.documentElement.dataset.verdict');
  await page.close();
  return verdict === 'good' ? null : `verdict ${verdict}`;
}

/** 20,000 people: the page must answer while it works, and be done in time. */
async function large(browser, folder) {
  const path = join(folder, 'large.zip'), made = build({ people: 20000, kind: 'incident' });
  writeFileSync(path, made.pack);
  const page = await browser.open(URL_OF_PAGE), began = Date.now();
  await page.run('window.longest = 0; { let last = performance.now(); setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now; }, 5); }');
  const result = await checkOn(page, { ...made, pack: path }, 120);
  const longest = await page.run('window.longest');
  console.log(`       ${result.events} events in ${Date.now() - began} ms; longest silence of the page ${Math.round(longest)} ms`);
  await page.close();
  return result.verdict !== 'good' ? `verdict ${result.verdict}` : longest > 3000 ? `it did not answer for ${Math.round(longest)} ms` : null;
}

async function pictures(browser, folder) {
  mkdirSync(folder, { recursive: true });
  const find = name => CASES.find(c => c.name === name), path = join(folder, 'pack.zip');
  const shots = [['empty', null], ['good', { ...find('a good pack'), people: 400 }], ['bad', find('a second send after acceptance')], ['unsigned', find('a good pack without a key')], ['person', find('a person\u2019s pack')], ['cannot', find('half a zip')], ['partial', find('a checkpoint of another log beside a good pack')]];
  for (const [name, c] of shots) {
    for (const [label, view] of [['1280', {}], ['390', { width: 390, height: 844 }], ['1280-dark', { dark: true }]]) {
      const page = await browser.open(URL_OF_PAGE, view);
      if (c) { const made = build(c); writeFileSync(path, made.pack); await checkOn(page, { ...made, list: null, pack: path }); }
      writeFileSync(join(folder, `${name}-${label}.png`), await page.picture());
      await page.close();
    }
  }
  rmSync(path, { force: true });
  return 0;
}

function seal() {
  let html = readFileSync(PAGE, 'utf8');
  for (const [tag, directive] of [['script', 'script-src'], ['style', 'style-src']]) {
    const content = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html)[1];
    html = html.replace(new RegExp(`${directive} 'sha256-[^']*'`), `${directive} 'sha256-${createHash('sha256').update(content).digest('base64')}'`);
  }
  writeFileSync(PAGE, html);
  writeFileSync(PUBLISHED, published(html));
  return 0;
}

/** Every case as files, with what the page must say of it: another verifier must say the same. */
function write(folder) {
  mkdirSync(folder, { recursive: true });
  const index = CASES.map((c, i) => {
    const made = build(c), at = (suffix, content) => { if (!content) return null; const path = join(folder, `${i}.${suffix}`); writeFileSync(path, content); return path; };
    return { name: c.name, verdict: c.verdict, codes: [...c.codes].sort(), pack: at('zip', made.pack), key: at('key', made.key), older: at('older', made.older), list: at(made.listName, made.list), approvers: at('approvers', made.approvers), listKeys: at('listkeys', made.listKeys), complete: made.complete, lanes: c.lanes };
  });
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index, null, 1));
  return 0;
}

/** What another verifier says of every case: the same codes, or one of the two is wrong. Needs no browser. */
function against(verifier) {
  const folder = mkdtempSync(join(tmpdir(), 'duly-packs-'));
  let failed = 0;
  try {
    write(folder);
    // Without a key only the page goes on.
    for (const c of JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')).filter(c => c.key)) {
      const how = readFileSync(c.key, 'utf8').startsWith('log ') ? '--policy' : '--key';
      const more = [...(c.older ? ['--known-checkpoint', c.older] : []), ...(c.list ? ['--list', c.list] : []), ...(c.approvers ? ['--approver', c.approvers] : []), ...(c.listKeys ? ['--list-key', c.listKeys] : []), ...(c.complete ? ['--complete'] : [])];
      const { stdout } = spawnSync(verifier, [c.pack, how, c.key, '--json', ...more], { encoding: 'utf8', maxBuffer: 1e9 });
      const said = JSON.parse(stdout || '{}'), codes = Object.keys(said.finding_counts ?? {}).sort().join();
      const isSame = { partial: ['unchecked'], cannot: ['unchecked', 'too_old'] }[c.verdict] ?? [c.verdict];
      const differs = codes !== c.codes.join() || !isSame.includes(said.verdict) || saysOtherwise(c, said.not_live, said.lanes_unsaid);
      if (differs) { failed++; console.log(`FAILED ${c.name}: ${said.verdict} ${codes} ${JSON.stringify([said.not_live, said.lanes_unsaid])}, not ${c.verdict} ${c.codes} ${JSON.stringify(c.lanes ?? '')}`); }
    }
  } finally { rmSync(folder, { recursive: true, force: true }); }
  console.log(failed ? `${failed} differ` : `${verifier} names the same`);
  return failed ? 1 : 0;
}

async function main() {
  if (args.seal) return seal();
  if (args.against) return against(resolve(args.against));
  if (args.write) return write(args.write);
  const path = findBrowser();
  if (!path || !existsSync(path)) {
    console.error('SKIPPED: no browser is here, so docs/verify.html was NOT tested. Install Chromium, or name one in CHROMIUM.');
    return SKIPPED;
  }
  const browser = await Browser.start(path), folder = mkdtempSync(join(tmpdir(), 'duly-packs-'));
  try {
    if (args.pack) return await one(browser);
    return args.pictures ? await pictures(browser, args.pictures) : await all(browser, folder);
  } finally {
    await browser.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
process.exitCode = await main();
