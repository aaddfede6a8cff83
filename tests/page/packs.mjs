// Makes packs for the page's tests: an incident as a list of events, sealed into a log, a log into files, files into a zip.
// It shares no code with the page or with Duly, so that a mistake of one shows at the other. A test spoils any stage.

import { createHash, createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { deflateRawSync, crc32 as crcOfNode } from 'node:zlib';

export const sha256 = (...parts) => { const h = createHash('sha256'); for (const p of parts) h.update(p); return h.digest(); };
const leafHash = entry => sha256(Buffer.of(0), entry);

/** RFC 6962, as its text has it. */
export function treeHash(leaves) {
  if (leaves.length === 0) return sha256('');
  if (leaves.length === 1) return leaves[0];
  const k = splitAt(leaves.length);
  return sha256(Buffer.of(1), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}
const splitAt = n => { let k = 1; while (k * 2 < n) k *= 2; return k; };
export function path(m, leaves) {
  if (leaves.length <= 1) return [];
  const k = splitAt(leaves.length);
  return m < k ? [...path(m, leaves.slice(0, k)), treeHash(leaves.slice(k))] : [...path(m - k, leaves.slice(k)), treeHash(leaves.slice(0, k))];
}

/** Ed25519 from a seed of one repeated byte. */
export class Signer {
  constructor(byte) {
    this.private = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, byte)]), format: 'der', type: 'pkcs8' });
    this.public = createPublicKey(this.private).export({ format: 'der', type: 'spki' }).subarray(-32);
  }
  sign(bytes) { return sign(null, Buffer.from(bytes), this.private); }
  id(name, kind = 1) { return sha256(name, '\n', Buffer.of(kind), this.public).subarray(0, 4); }
  vkey(name, kind = 1) { return `${name}+${this.id(name, kind).toString('hex')}+${Buffer.concat([Buffer.of(kind), this.public]).toString('base64')}`; }
  /** A C2SP cosignature line of a witness. */
  cosign(name, text, seconds) {
    const time = Buffer.alloc(8); time.writeBigUInt64BE(BigInt(seconds));
    return `\u2014 ${name} ${Buffer.concat([this.id(name, 4), time, this.sign(`cosignature/v1\ntime ${seconds}\n${text}`)]).toString('base64')}\n`;
  }
  note(name, text) { return `${text}\n\u2014 ${name} ${Buffer.concat([this.id(name), this.sign(text)]).toString('base64')}\n`; }
}
export const KEYS = { log: new Signer(1), controller: new Signer(2), approver: new Signer(3), witness: new Signer(4), second: new Signer(5), third: new Signer(6), stranger: new Signer(9) };

export function canonical(value) {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  return `{${Object.keys(value).sort().map(k => `${JSON.stringify(k)}:${canonical(value[k])}`)}}`;
}
let made = 0;
const uuid = () => { const h = sha256(`uuid ${made++}`).toString('hex'); return `${h.slice(0, 8)}-${h.slice(8, 12)}-7${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20, 32)}`; };
const commit = (p, field, value) => createHmac('sha256', fieldKey(p, field)).update(value).digest('hex');
export const fieldKey = (p, field) => createHmac('sha256', sha256(`key of ${p}`)).update(Buffer.concat([Buffer.from('duly/field/v1\0'), Buffer.from(field)])).digest();
export const personId = i => sha256(`person ${i}`).toString('hex').slice(0, 32);
const contentOf = (p, channel) => commit(p, 'content', sha256(`bytes of the ${channel} to ${p}`));
export const INC = '0192f0aa-0000-7000-8000-000000000001', ORIGIN = `log.example/${INC}`;
export const USERS = { preparer: '0192f0aa-0000-7000-8000-00000000000a', approver: '0192f0aa-0000-7000-8000-00000000000b' };

/** The events of one message, in short: `m.intent()`, `m.receipt('sent')`. */
export function message(p, channel, { reason = 'first', ordinal = 1, phase = 1 } = {}) {
  let attempt = 0;
  const base = () => ({ channel, reason, ordinal, phase, attempt });
  const event = (k, d) => ({ k, p, d: { ...base(), ...d } });
  return {
    intent: (more = {}) => { attempt++; return event('message.intent', { to: 'sending', plan: 1, profile: 'uk-gdpr', repeat: false, content: contentOf(p, channel), destination: commit(p, channel, `${channel} of ${p}`), ...more }); },
    accepted: more => event('message.accepted', { code: '201', to: 'accepted', ...more }),
    rejected: more => event('message.rejected', { code: '400', to: 'rejected', ...more }),
    notTaken: more => event('message.not_taken', { code: '429', to: 'ready', ...more }),
    unknown: more => event('message.unknown', { ground: 'lease', to: 'unknown', ...more }),
    resolved: (ground, to) => event('message.resolved', { ground, to }),
    asked: more => event('message.asked', { ground: 'no_lookup', to: 'asked', ...more }),
    decided: more => event('message.decided', { ground: 'send_again', to: 'ready', user: USERS.preparer, command: uuid(), ...more }),
    receipt: (status, more = {}) => event('receipt', { status, to: status, ...more }),
    late: status => event('receipt.late', { status }),
    shown: more => event('message.shown', { content: contentOf(p, channel), given: 2, ground: 'same_bytes', pages: 2, attempt: 1, ...more }),
    cancelled: () => event('message.cancelled', { to: 'cancelled' }),
    reopened: () => event('message.reopened', { to: 'ready' }),
    overdue: more => event('message.overdue', { ground: 'no_news', to: 'overdue', ...more }),
    exhausted: more => event('message.exhausted', { ground: 'deadline', to: 'exhausted', ...more }),
  };
}

/** An incident: who is listed, and what happened to each. People beyond the first six get a text that arrives. */
export class Incident {
  constructor(people = 6) {
    this.lists = new Map([[1, []], [2, []]]);
    for (let i = 0; i < people; i++) this.lists.get(i === 5 ? 2 : 1).push(personId(i));
    /** Plans beside the first, by number: whom each covers, and the first does not. */
    this.further = new Map(); this.plans = new Map(); this.events = []; this.extra = {};
    this.tell(people);
  }
  add(...events) { this.events.push(...events); return this; }
  tell(people) {
    const [a, b, c, d, e] = [0, 1, 2, 3, 4].map(i => personId(i)), notified = { notice: 'notified' };
    this.opened = { k: 'log.opened', d: { format: 1, kind: 'incident', origin: ORIGIN, generation: 1 } };
    const plan = k => ({ k: `plan.${k}`, plan: 1 }), hold = (k, p) => ({ k: `hold.${k}`, p, d: { hold: '0192f0aa-0000-7000-8000-0000000000c1', user: USERS.approver, command: USERS.preparer } });
    this.add(this.opened, { k: 'row.quarantined', d: { list: 1, row: 7, codes: 'no_contact' } }, { k: 'list.frozen', list: 1 }, { k: 'list.signed', list: 1 }, { k: 'list.frozen', list: 2 });
    this.add({ k: 'row.discarded', d: { list: 1, row: 7, user: USERS.preparer, command: uuid() } }, plan('prepared'), plan('approved'), plan('started'));
    this.add({ k: 'audit.passed', d: { findings: 0 } }, { k: 'audit.failed', d: { findings: 1, codes: 'state_differs' } });
    const ma = message(a, 'sms');
    this.add(ma.intent(), ma.accepted(), ma.receipt('sent'), ma.receipt('delivered_to_handset', notified), ma.late('sent'));
    const mb = message(b, 'sms'), letter = message(b, 'letter', { reason: 'escalation' });
    this.add(mb.intent(), mb.unknown(), mb.resolved('absent', 'ready'), mb.intent(), mb.accepted(), plan('paused'), plan('resumed'), mb.receipt('failed'));
    this.add(letter.intent(), letter.accepted(), letter.receipt('handed_to_carrier', notified), letter.receipt('returned', { notice: 'unreachable' }));
    const mc = message(c, 'sms');
    this.add(mc.intent(), mc.unknown({ ground: 'answer', code: 'timeout' }), mc.intent({ repeat: true }), mc.accepted(), mc.receipt('delivered_to_handset', notified));
    const md = message(d, 'letter');
    this.add(hold('set', d), hold('lifted', d), md.intent(), md.unknown(), md.asked(), md.decided(), md.intent(), md.notTaken(), md.intent(), md.accepted(), md.receipt('printed'));
    const me = message(e, 'sms'), more = [];
    this.add(me.exhausted({ attempt: 0 }));
    for (let i = 6; i < people; i++) { const m = message(personId(i), 'sms'); more.push(m.intent(), m.accepted(), m.receipt('delivered_to_handset', notified)); }
    for (const event of more) this.events.push(event);
    this.add({ k: 'log.marked', d: {} });
  }
  lines(of) { return [...of].sort().map(p => canonical({ p, c: Object.fromEntries(['external_reference', 'letter', 'name', 'sms'].map(f => [f, commit(p, f, `${f} of ${p}`)])) })); }
  /** Whom a plan covers. */
  covered(plan) { const others = [...this.further.values()].flat(); return this.further.get(plan) ?? [...this.lists.values()].flat().filter(p => !others.includes(p)); }
  contents(plan = 1) { return [...this.covered(plan)].sort().map(p => canonical({ p, c: Object.fromEntries(['letter', 'sms'].map(f => [f, contentOf(p, f)])) })); }

  /** Fills in what events name by hash, chains them, and writes each as a leaf. */
  seal() {
    const root = lines => treeHash(lines.map(l => leafHash(l))).toString('hex');
    const textOf = (plan, number = plan) => canonical({ contents: { people: this.contents(plan).length, root: root(this.contents(plan)) }, incident: INC, lists: [...this.lists].filter(([list]) => this.named?.includes(list) ?? true).map(([list, people]) => ({ list, people: people.length, root: root(this.lines(people)) })), plan: number, profiles: { 'uk-gdpr': { closing: [{ channel: 'sms', content: 'full', state: 'delivered_to_handset' }, { channel: 'letter', content: 'full', state: 'handed_to_carrier' }] }, ...this.profiles }, templates: [sha256('template').toString('hex')], v: 1, ...this.inPlan });
    const text = textOf(1, this.planNumber);
    const plan = this.spellPlan?.(text) ?? text, hash = sha256(plan).toString('hex');
    for (const number of this.further.keys()) this.plans.set(number, textOf(number));
    const hashOf = number => (this.plans.has(number) ? sha256(this.plans.get(number)).toString('hex') : hash);
    const heads = new Map();
    let clock = Date.UTC(2026, 10, 11, 9, 0, 0);
    this.leaves = this.events.map(event => {
      const { k, p, list } = event, lines = list && this.lines(this.lists.get(list)), count = lines?.length;
      let d = event.d;
      if (k === 'list.frozen') d = { list, count, root: root(lines), rows: count + 3, duplicates: 2, quarantined: 1, ...event.d };
      if (k === 'list.amended') {
        const all = [...this.lists.keys()].filter(n => n <= list).map(n => this.lines(this.lists.get(n))), sum = of => ({ count: of.reduce((n, l) => n + l.length, 0), root: (of.length ? treeHash(of.map(l => leafHash(Buffer.from(root(l), 'hex')))) : sha256('')).toString('hex') });
        const before = sum(all.slice(0, -1));
        d = { list, ...sum(all), count_before: before.count, root_before: before.root, corrected: 0, ...event.d };
      }
      if (k === 'list.signed') {
        const text = `duly/list/v1\n${INC}\n${list}\n${count}\n${root(lines)}\n`;
        d = { list, count, root: root(lines), key: KEYS.controller.public.toString('hex'), signature: KEYS.controller.sign(text).toString('hex'), ...event.d };
      }
      if (event.change) d = { ...changeOf(event.change, this.events.indexOf(event)), ...event.d };
      if (event.plan) d = { plan: event.plan, hash: hashOf(event.plan), command: uuid(), user: k === 'plan.approved' ? USERS.approver : USERS.preparer, ...event.d };
      const whole = { d, id: event.id ?? uuid(), inc: INC, k, t: event.t ?? new Date(clock += 700).toISOString().replace('Z', '123Z'), v: 1, ...event.top };
      if (p) { const head = heads.get(p) ?? { n: 0, prev: null }; Object.assign(whole, { p, n: head.n + 1, prev: head.prev }, event.top); }
      const bytes = Buffer.from(event.raw ?? canonical(whole));
      if (p && !event.isForgotten) heads.set(p, { n: whole.n, prev: leafHash(bytes).toString('hex') });
      return bytes;
    });
    this.plan = plan; this.hash = hash;
    return this;
  }
  /** The key that signs at a size: the one of the last change before it. */
  signer(size) { return this.events.slice(0, size).reduce((signer, { change, isFalse }) => (change && !isFalse ? change[1] : signer), KEYS.log); }
  checkpoint(size = this.leaves.length, signer = this.signer(size), origin = ORIGIN) {
    const root = treeHash(this.leaves.slice(0, size).map(leafHash)).toString('base64');
    return signer.note(origin, `${origin}\n${size}\n${root}\n`);
  }
  files() {
    const files = new Map(), put = (name, content) => files.set(name, Buffer.from(content));
    put('checkpoint', this.checkpoint());
    logFiles(this.leaves, put);
    for (const [list, people] of this.lists) put(list === 1 ? 'manifest.jsonl' : `manifest.${list}.jsonl`, this.lines(people).map(l => `${l}\n`).join(''));
    put('plans/1.json', this.plan);
    put('contents.1.jsonl', this.contents().map(l => `${l}\n`).join(''));
    const approve = (number, hash) => {
      const statement = canonical({ at: '2026-11-11T08:59:00Z', command: 'plan approve', hash, incident: INC, installation: '019355a0-0000-7000-8000-000000000003', nonce: '00'.repeat(16), plan: number, v: 1 });
      put(`approvals/${number}-1.json`, JSON.stringify({ key: KEYS.approver.public.toString('hex'), signature: KEYS.approver.sign(statement).toString('hex'), statement, user: USERS.approver }));
    };
    approve(1, this.hash);
    for (const [number, text] of this.plans) {
      put(`plans/${number}.json`, text);
      put(`contents.${number}.jsonl`, this.contents(number).map(l => `${l}\n`).join(''));
      if (this.events.some(e => e.k === 'plan.approved' && e.plan === number)) approve(number, sha256(text).toString('hex'));
    }
    put(`texts/${sha256('template').toString('hex')}.hbs`, 'template');
    put('pack.json', canonical({ for: 'regulator', format: 1, kind: 'incident', origin: ORIGIN, size: this.leaves.length }));
    put('README.txt', 'For people.\n');
    return files;
  }
  /** One person's pack. */
  personFiles(p) {
    const files = new Map(), put = (name, content) => files.set(name, Buffer.from(content)), hashes = this.leaves.map(leafHash);
    const proof = i => `c2sp.org/tlog-proof@v1\nindex ${i}\n${path(i, hashes).map(h => `${h.toString('base64')}\n`).join('')}\n${this.checkpoint()}`;
    this.leaves.forEach((leaf, i) => {
      const event = JSON.parse(leaf), name = event.p === p ? `events/${event.n}` : /^(list\.|plan\.|log\.key_changed)/.test(event.k) ? `log/${i}` : null;
      if (name) { put(`${name}.json`, leaf); put(`${name}.tlog-proof`, proof(i)); }
    });
    const list = [...this.lists].find(([, people]) => people.includes(p))[0], lines = this.lines(this.lists.get(list)), index = lines.findIndex(l => l.includes(p));
    put('manifest-line.json', lines[index]);
    put('manifest-line.proof', `list ${list}\nindex ${index}\nsize ${lines.length}\n${path(index, lines.map(l => leafHash(l))).map(h => `${h.toString('base64')}\n`).join('')}`);
    put('keys.json', canonical({ k: { sms: fieldKey(p, 'sms').toString('hex'), content: fieldKey(p, 'content').toString('hex') }, p, values: { sms: `sms of ${p}` } }));
    put('messages/1.txt', `bytes of the sms to ${p}`);
    put('checkpoint', this.checkpoint());
    put('pack.json', canonical({ for: 'person', format: 1, kind: 'person', origin: ORIGIN, p, size: this.leaves.length }));
    return files;
  }
}

/** What both keys say when a log's key changes at a leaf. */
export function changeOf([old, next], size, origin = ORIGIN) {
  const [a, b] = [old, next].map(key => key.public.toString('hex')), text = `duly/log-key/v1\n${origin}\n${size}\n${a}\n${b}\n`;
  return { size, old: a, new: b, old_signature: old.sign(text).toString('hex'), new_signature: next.sign(text).toString('hex') };
}

const der = (tag, ...parts) => { const content = Buffer.concat(parts); return Buffer.concat([Buffer.from(content.length < 128 ? [tag, content.length] : [tag, 0x81, content.length]), content]); };
/** A response of RFC 3161 over some bytes; of no authority, as nobody signed it. */
export function stamp(bytes, { status = 0, signers = 1, time = '20261111100000Z' } = {}) {
  const of = text => Buffer.from(text, 'hex'), algorithm = der(0x30, of('0609608648016503040201'));
  const info = der(0x30, of('020101'), of('06032a0304'), der(0x30, algorithm, der(4, sha256(bytes))), of('020107'), der(0x18, Buffer.from(time)));
  const signer = der(0x30, of('020101'), of('8000'), algorithm, algorithm, of('04020000'));
  const data = der(0x30, of('020103'), der(0x31, algorithm), der(0x30, of('060b2a864886f70d0109100104'), der(0xa0, der(4, info))), der(0x31, ...Array(signers).fill(signer)));
  return der(0x30, der(0x30, der(2, Buffer.of(status))), der(0x30, of('06092a864886f70d010702'), der(0xa0, data)));
}

const place = n => { const s = String(n), d = s.padStart(Math.ceil(s.length / 3) * 3, '0').match(/.../g); return d.map((g, i) => (i + 1 < d.length ? `x${g}` : g)).join('/'); };
/** C2SP tlog-tiles: bundles, and hash tiles of every level. */
export function logFiles(leaves, put, prefix = '') {
  const suffix = width => (width === 256 ? '' : `.p/${width}`);
  for (let n = 0; n * 256 < leaves.length; n++) {
    const entries = leaves.slice(n * 256, n * 256 + 256);
    put(`${prefix}tile/entries/${place(n)}${suffix(entries.length)}`, Buffer.concat(entries.flatMap(e => [Buffer.of(e.length >> 8, e.length & 255), e])));
  }
  let nodes = leaves.map(leafHash);
  for (let level = 0; nodes.length; level++) {
    const next = [];
    for (let n = 0; n * 256 < nodes.length; n++) {
      const tile = nodes.slice(n * 256, n * 256 + 256);
      put(`${prefix}tile/${level}/${place(n)}${suffix(tile.length)}`, Buffer.concat(tile));
      if (tile.length === 256) next.push(treeHash(tile));
    }
    nodes = next;
  }
}

function crc32(bytes) {
  if (crcOfNode) return crcOfNode(bytes);
  let crc = -1;
  for (const b of bytes) { crc ^= b; for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1; }
  return ~crc >>> 0;
}
/** A zip; `entries` are pairs, so that a hostile one can hold a name twice. `lie` changes what the directory says. */
export function zip(entries, lie = () => ({}), before = Buffer.alloc(0)) {
  const parts = [before], directory = [];
  let at = before.length;
  for (const [name, content] of entries) {
    const isPacked = !/(^|\/)tile\/\d/.test(name), data = isPacked ? deflateRawSync(content) : content;
    const said = { size: content.length, crc: crc32(content), method: isPacked ? 8 : 0, localName: name, ...lie(name) };
    const head = (signature, extra, ownName) => {
      const h = Buffer.alloc(30 + extra); let o = h.writeUInt32LE(signature);
      if (extra) o = h.writeUInt16LE(20, o);
      o = h.writeUInt16LE(20, o); o = h.writeUInt16LE(0, o); o = h.writeUInt16LE(said.method, o); o = h.writeUInt32LE(0x00210000, o);
      o = h.writeUInt32LE(said.crc, o); o = h.writeUInt32LE(data.length, o); o = h.writeUInt32LE(said.size, o); h.writeUInt16LE(ownName.length, o);
      return h;
    };
    const central = head(0x02014b50, 16, name);
    if (said.mode) { central[5] = 3; central.writeUInt32LE(said.mode * 65536, 38); }
    central.writeUInt32LE(at, 42);
    directory.push(central, Buffer.from(name));
    const local = Buffer.concat([head(0x04034b50, 0, said.localName), Buffer.from(said.localName), data]);
    parts.push(local); at += local.length;
  }
  const listed = Buffer.concat(directory), end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50); end.writeUInt16LE(entries.length, 8); end.writeUInt16LE(entries.length, 10); end.writeUInt32LE(listed.length, 12); end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, listed, end]);
}
