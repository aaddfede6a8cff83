// Each case is a pack and what the page must say of it. `codes` is exact: one fault, and nothing that does not follow from it.

import { Incident, KEYS, fieldKey, ORIGIN, USERS, canonical, changeOf, logFiles, message, personId, sha256, stamp, treeHash, zip } from './packs.mjs';

const P = [0, 1, 2, 3, 4, 5].map(personId);
/** One case: `events` spoils an incident, `files` a pack's files, `bytes` the zip. */
const bad = (name, codes, { people = 6, kind = 'incident', ...stages }) => ({ name, codes, people, kind, verdict: 'bad', ...stages });
const good = (name, events) => ({ name, verdict: 'good', codes: [], events });
const BY = { user: USERS.preparer, command: USERS.approver }, HOLD = '0192f0aa-0000-7000-8000-0000000000c2', HASH = sha256('file').toString('hex');
/** So many arrays, each in the one before. */
const nested = n => (n ? [nested(n - 1)] : 1);
const destroyed = p => ({ k: 'key.destroyed', p, d: BY });
const erased = event => ({ ...event, d: { ...event.d, erased: true } });
const unfit = p => ({ k: 'message.unfit', p, d: { channel: 'sms', reason: 'first', ordinal: 1, phase: 1, attempt: 0, ground: 'does_not_open' } });
const exempt = p => ({ k: 'notice.exempt', p, d: { phase: 1, notice: 'exempt', ...BY } });
const told = (p, more) => ({ k: 'notice.withdrawn', p, d: { phase: 1, notice: 'withdrawn', ground: 'by_phone', ...BY, ...more } });
const reopened = (p, notice = 'open') => ({ k: 'notice.reopened', p, d: { phase: 1, notice, ...BY } });
/** Somebody whom a plan covered, about whom it was decided before it was withdrawn; then that was taken back, and the next plan came. */
function letGo(i, ...calls) {
  const plan = (k, plan) => ({ k: `plan.${k}`, plan }), waits = message(P[5], 'sms');
  i.further.set(2, [P[5]]).set(3, [P[5]]);
  i.add(plan('prepared', 2), exempt(P[5]), waits.cancelled(), plan('withdrawn', 2), reopened(P[5]), waits.reopened());
  i.add(plan('prepared', 3), plan('approved', 3), plan('started', 3), ...calls);
}
const closed = more => ({ k: 'incident.closed', d: { asked: 0, missing: 0, open: 0, quarantined: 0, unknown: 0, ...BY, ...more } });
const REOPENED = { k: 'incident.reopened', d: { reason: 'more people were found', ...BY } };
/** A policy that asks for one witness, and that witness's line under a checkpoint. */
const POLICY = `log ${KEYS.log.vkey(ORIGIN)}\nwitness w ${KEYS.witness.vkey('witness.example', 4)}\nquorum w\n`;
const SEEN = Date.UTC(2026, 10, 11, 9, 5) / 1000;
const cosign = (note, seconds = SEEN) => KEYS.witness.cosign('witness.example', note.slice(0, note.indexOf('\n\n') + 1), seconds);
/** A witness's line under a checkpoint of this size, these seconds after the story begins, and under the whole one in time. */
const seen = (size, seconds) => (f, i) => {
  const begins = Date.UTC(2026, 10, 11, 9) / 1000, old = i.checkpoint(size);
  f.set(`anchors/${size}.checkpoint`, Buffer.from(old)); f.set(`anchors/${size}.cosig`, Buffer.from(cosign(old, Math.floor(begins + seconds))));
  f.set('checkpoint', Buffer.from(i.checkpoint() + cosign(i.checkpoint())));
};
/** What a search for a hash and a date takes for a time stamp. */
const looks = bytes => Buffer.concat([Buffer.from('060b2a864886f70d0109100104', 'hex'), Buffer.of(0x04, 0x20), sha256(bytes), Buffer.of(2, 1, 7, 0x18, 15), Buffer.from('20261111100000Z')]);
/** A checkpoint of eleven leaves with this beside it. */
const stamped = make => (f, i) => { f.set('anchors/11.checkpoint', Buffer.from(i.checkpoint(11))); f.set('anchors/11.tsr', make(i.checkpoint(11))); };
const reference = p => fieldKey(p, 'external_reference');
/** The reader's own rows: people of list 1 in the order of their rows. */
const rows = people => `External reference;Note\n${[...people, people[0], people[1]].map(p => `"external_reference of  ${p}";x\n`).join('')}nonsense;"a ""quoted"" note"\n`;
/** Openings of every person, and where each row went. */
function keysOf(files, incident, key) {
  const people = [...incident.lists.values()].flat().sort(), lines = of => Buffer.from(of.map(o => `${canonical(o)}\n`).join(''));
  files.set('keys/openings.jsonl', lines(people.map(p => ({ k: { external_reference: key(p).toString('hex') }, p }))));
  const one = incident.lists.get(1), fates = [...one.map(p => ['person', p]), ['duplicate_of', one[0]], ['duplicate_of', one[1]], ['quarantined', null]];
  files.set('keys/rows.jsonl', lines(fates.map(([fate, p], row) => ({ fate, list: 1, p, row: row + 1 }))));
}
const at = (incident, k, nth = 0, p) => incident.events.filter(e => e.k === k && (!p || e.p === p))[nth];
const remove = (incident, event) => incident.events.splice(incident.events.indexOf(event), 1);
const after = (incident, event, ...more) => incident.events.splice(incident.events.indexOf(event) + 1, 0, ...more);
const change = (files, name, f) => files.set(name, Buffer.from(f(files.get(name))));
const flip = (bytes, i) => { const copy = Buffer.from(bytes); copy[i] ^= 1; return copy; };
/** A log whose key changes at its end, and goes on; `twice` once more. */
const changing = (...pairs) => i => pairs.forEach(change => i.add({ k: 'log.key_changed', change }, { k: 'log.marked', d: {} }));
const once = changing([KEYS.log, KEYS.second]), twice = changing([KEYS.log, KEYS.second], [KEYS.second, KEYS.third]);
/** A change that does not count: the log goes on under the key before. */
const falsely = (change, spoil) => i => { changing(change)(i); const event = i.events.at(-2); event.isFalse = true; event.d = spoil?.(i.events.length - 2); };
const OTHER = '0192f0aa-0000-7000-8000-00000000000c';
/** A second approval of the pack's plan by another user, with this key. */
function approve(files, key) {
  const one = JSON.parse(files.get('approvals/1-1.json'));
  files.set('approvals/1-2.json', Buffer.from(canonical({ ...one, key: key.public.toString('hex'), signature: key.sign(one.statement).toString('hex'), user: OTHER })));
}
const STATEMENT = more => ({ k: 'statement.compared', d: { lane: 'letters', channel: 'letter', hash: HASH, theirs: 3, ours: 3, as_of: '2026-11-01T12:00:00.000000Z', ...BY, ...more } });
const REFUSED = more => ({ k: 'check.refused', d: JSON.parse(JSON.stringify({ plan: 2, contents: HASH, messages: 6, profiles: 'uk-gdpr 2026.11', errors: 'C001:6,C055:3', report: HASH, rules: HASH, version: '0.1.0', ...BY, ...more })) });
const RECONCILED = { k: 'restore.reconciled', d: { imported: 0, unknown: 1, held: 0, ...BY } };
const cancelled = (p, more) => ({ k: 'message.cancelled', p, d: { channel: 'sms', reason: 'first', ordinal: 1, phase: 1, attempt: 0, to: 'cancelled', ...more } });
/** Person 6 is posted a letter that notifies; a text goes beside it, and the plan says what routes it has. */
const beside = routes => i => { i.inPlan = { routes }; const [post, text] = ['letter', 'sms'].map(channel => message(P[5], channel)); i.add(post.intent(), post.receipt('handed_to_carrier', { notice: 'notified' }), text.intent(), text.accepted()); };
/** A text under way, and a letter for which time ran out. */
const hopeless = (reason, routes) => i => { i.inPlan = { routes }; const text = message(P[5], 'sms'), post = message(P[5], 'letter', { reason }); i.add(text.intent(), text.accepted(), post.exhausted({ notice: 'unreachable' })); };
/** A plan whose templates begin with these lines. */
const templates = (...lines) => ({ events: i => { i.inPlan = { templates: lines.map(line => sha256(line).toString('hex')).sort() }; }, files: f => { f.delete(name(f, 'texts/')); for (const line of lines) f.set(`texts/${sha256(line).toString('hex')}.hbs`, Buffer.from(line)); } });
const FULL = '{{!-- content = full --}}\nDear reader', ALERT = '{{!-- content = alert --}}\nDear reader', LETTER = '{{!-- content = full; title = What happened --}}\nDear reader';
/** Person 6, of list 2, is called under a plan that names list 1 alone. */
const unnamed = i => { i.named = [1]; const m = message(P[5], 'sms'); i.add(m.intent(), m.accepted()); };
/** The second list is signed too. */
const LIST_KEY = KEYS.controller.public.toString('hex'), signedToo = i => after(i, at(i, 'list.frozen', 1), { k: 'list.signed', list: 2 });
const place = i => i.events.findIndex(e => e.change);
const name = (files, start) => [...files.keys()].find(n => n.startsWith(start));

/** What the plan's text says of its lanes; by number, what a verifier must say of them. */
const lanes = (name, accounts, notLive, unsaid = [], says) => ({ name, verdict: 'good', codes: [], says, events: i => { i.inPlan = { accounts: Object.fromEntries(Object.entries(accounts).map(([lane, live]) => [lane, { at: '', kind: 'sandbox', live }])), lanes: Object.keys(accounts).sort() }; }, lanes: { notLive, unsaid } });

export const CASES = [
  { name: 'a good pack', verdict: 'good', codes: [], says: '1 difference, Wed 11 Nov 2026, 09:00:07 UTC, leaf 10: state_differs' },
  { name: 'a good pack of more than one tile', verdict: 'good', codes: [], people: 400 },
  { name: 'a good pack, key as 64 digits', verdict: 'good', codes: [], key: KEYS.log.public.toString('hex') },
  { name: 'a good pack, key as a policy', verdict: 'good', codes: [], key: `log ${KEYS.log.vkey(ORIGIN)}\nquorum none\n` },
  { name: 'a good pack, cosigned by a witness of the policy', verdict: 'good', codes: [], key: POLICY, files: (f, i) => f.set(`anchors/${i.leaves.length}.cosig`, Buffer.from(cosign(i.checkpoint()))) },
  { name: 'a good pack whose checkpoint carries the cosignature', verdict: 'good', codes: [], key: POLICY, files: (f, i) => f.set('checkpoint', Buffer.from(i.checkpoint() + cosign(i.checkpoint()))) },
  bad('a policy that asks for a witness who has not cosigned', ['witness'], { key: POLICY }),
  bad('a cosignature by somebody else', ['witness'], { key: POLICY, files: (f, i) => { const [dash, name, line] = cosign(i.checkpoint()).split(' '), other = Buffer.from(line, 'base64'); other[40] ^= 1; f.set(`anchors/${i.leaves.length}.cosig`, Buffer.from(`${dash} ${name} ${other.toString('base64')}\n`)); } }),
  bad('a cosignature of another checkpoint', ['witness'], { key: POLICY, files: (f, i) => f.set(`anchors/${i.leaves.length}.cosig`, Buffer.from(cosign(i.checkpoint(11)))) }),
  { name: 'a good pack with cosignatures, and no policy that names the witness', verdict: 'good', codes: [], files: (f, i) => f.set('anchors/11.cosig', Buffer.from(cosign(i.checkpoint(11)))) },
  bad('an event that claims a time after a witness had seen it', ['time'], { key: POLICY, files: seen(11, -603 + 11 * 0.7), leaf: 10 }),
  { name: 'an event that claims a time less than ten minutes after a witness had seen it', verdict: 'good', codes: [], key: POLICY, files: seen(11, -590) },
  { name: 'events that came after what a witness had seen', verdict: 'good', codes: [], key: POLICY, files: seen(0, -1e6) },
  { name: 'an event after a cosignature of nobody whom the reader names', verdict: 'good', codes: [], files: seen(11, -1e6) },
  bad('the newest event claims a time after a witness had seen it', ['time'], { key: POLICY, files: (f, i) => f.set('checkpoint', Buffer.from(i.checkpoint() + cosign(i.checkpoint(), SEEN - 1e6))) }),
  bad('a witness had seen another log before it happened', ['anchor'], { key: POLICY, files: (f, i) => { seen(11, 0)(f, i); const fork = KEYS.log.note(ORIGIN, `${ORIGIN}\n11\n${sha256('x').toString('base64')}\n`); f.set('anchors/11.checkpoint', Buffer.from(fork)); f.set('anchors/11.cosig', Buffer.from(cosign(fork, SEEN - 1e6))); } }),
  bad('an event of the second generation after a witness had seen it', ['time'], { generations: true, key: POLICY, files: f => f.set('checkpoint', Buffer.concat([f.get('checkpoint'), Buffer.from(cosign(f.get('checkpoint').toString(), SEEN - 1e6))])) }),
  { name: 'a good pack with a time stamp', verdict: 'good', codes: [], files: stamped(stamp) },
  { name: 'a good pack with a time stamp that names part of a second', verdict: 'good', codes: [], files: stamped(bytes => stamp(bytes, { time: '20261111100000.25Z' })) },
  bad('a time stamp over something else', ['anchor'], { files: stamped(() => stamp('something else')) }),
  bad('bytes that only look like a time stamp', ['anchor'], { files: stamped(looks) }),
  bad('a time stamp with a byte behind it', ['anchor'], { files: stamped(bytes => Buffer.concat([stamp(bytes), Buffer.of(0)])) }),
  bad('a time stamp that the authority refused', ['anchor'], { files: stamped(bytes => stamp(bytes, { status: 2 })) }),
  bad('a time stamp that nobody signed', ['anchor'], { files: stamped(bytes => stamp(bytes, { signers: 0 })) }),
  bad('a time stamp of no day', ['anchor'], { files: stamped(bytes => stamp(bytes, { time: '20261311100000Z' })) }),
  bad('a time stamp without its checkpoint', ['anchor'], { files: (f, i) => f.set('anchors/11.tsr', stamp(i.checkpoint(11))) }),
  bad('an anchored checkpoint under the name of another size', ['anchor'], { files: (f, i) => f.set('anchors/12.checkpoint', Buffer.from(i.checkpoint(11))) }),
  { name: 'the reader\u2019s own rows', verdict: 'good', codes: [], says: '8 rows compared with list 1 by their references; names, numbers and addresses were not', csv: true, list: i => rows(i.lists.get(1)), files: (f, i) => keysOf(f, i, reference) },
  bad('two of the reader\u2019s own rows in each other\u2019s place', ['own_list'], { csv: true, list: i => { const [a, b, c, d, e] = i.lists.get(1); return rows([a, b, d, c, e]); }, files: (f, i) => keysOf(f, i, reference) }),
  bad('a row more than the pack knows', ['own_list'], { csv: true, list: i => `${rows(i.lists.get(1))}external_reference of ${P[5]};x\n`, files: (f, i) => keysOf(f, i, reference) }),
  bad('a person of the list who is said to be a repeat', ['own_list'], { csv: true, list: i => rows(i.lists.get(1)), files: (f, i) => { keysOf(f, i, reference); change(f, 'keys/rows.jsonl', r => r.toString().replace('"person"', '"duplicate_of"')); } }),
  bad('a person of the list who is said to be nobody', ['own_list'], { csv: true, list: i => rows(i.lists.get(1)), files: (f, i) => { keysOf(f, i, reference); change(f, 'keys/rows.jsonl', r => r.toString().replace(/"person","list":1,"p":"[0-9a-f]+"/, '"duplicate_of","list":1,"p":null')); } }),
  bad('a row that became what there is not', ['own_list'], { csv: true, list: i => rows(i.lists.get(1)), files: (f, i) => { keysOf(f, i, reference); change(f, 'keys/rows.jsonl', r => r.toString().replace('"quarantined"', '"forgotten"')); } }),
  bad('openings with a line that is none', ['own_list'], { csv: true, list: i => rows(i.lists.get(1)), files: (f, i) => { keysOf(f, i, reference); change(f, 'keys/openings.jsonl', r => `${r}nobody\n`); } }),
  { name: 'the reader\u2019s own rows, and a pack without openings', verdict: 'partial', codes: [], csv: true, list: i => rows(i.lists.get(1)) },
  lanes('a rehearsal: no lane of the plan is live', { 'sms-a': false, letters: false }, { 1: ['letters', 'sms-a'] }, [], 'Plan 1 has lanes that are not live (letters, sms-a): what goes through them is a rehearsal and tells nobody, also where somebody counts as notified.'),
  lanes('a plan of which one lane is not live', { 'sms-a': false, letters: true }, { 1: ['sms-a'] }, [], 'Plan 1 has a lane that is not live (sms-a)'),
  lanes('a plan whose lanes are live', { 'sms-a': true, letters: true }, {}),
  lanes('a plan that does not say of one lane whether it is live', { 'sms-a': 'no', letters: false }, { 1: ['letters'] }, [1], 'Whether all lanes of plan 1 were live'),
  lanes('a plan with a lane of a name that none can have', { 'x y<b>': false, letters: true }, {}, [1]),
  { name: 'a plan from before its text named accounts', verdict: 'good', codes: [], says: 'Whether all lanes of plan 1 were live', lanes: { notLive: {}, unsaid: [1] } },
  { name: 'a rehearsal that nobody approved', verdict: 'good', codes: [], events: i => { i.inPlan = { accounts: { letters: { live: false } } }; i.further.set(2, [P[5]]); i.add({ k: 'plan.prepared', plan: 2 }); }, lanes: { notLive: { 1: ['letters'] }, unsaid: [] } },
  { name: 'a good pack without a key', verdict: 'unsigned', codes: [], key: '' },
  { name: 'a good pack with an older checkpoint', verdict: 'good', codes: [], older: i => i.checkpoint(11) },
  { name: 'a good pack with the same checkpoint', verdict: 'good', codes: [], older: i => i.checkpoint() },
  { name: 'a good pack with the reader\u2019s own list', verdict: 'good', codes: [], list: i => i.lines(i.lists.get(1)).map(l => `${l}\n`).join('') },
  { name: 'a good pack with an anchored checkpoint', verdict: 'good', codes: [], files: (f, i) => f.set('anchors/11.checkpoint', Buffer.from(i.checkpoint(11))) },
  bad('an anchored checkpoint that this log never had', ['anchor'], { files: f => f.set('anchors/11.checkpoint', Buffer.from(KEYS.log.note(ORIGIN, `${ORIGIN}\n11\n${sha256('x').toString('base64')}\n`))) }),
  bad('a partial tile of an earlier size', ['tile'], { files: (f, i) => logFiles(i.leaves.slice(0, 9), (n, b) => f.set(n, b)) }),
  { name: 'a checkpoint of another log beside a good pack', verdict: 'partial', codes: [], older: i => i.checkpoint(11, KEYS.log, ORIGIN.replace('1', '2')) },
  { name: 'a log that was restored and goes on in a second generation', verdict: 'good', codes: [], generations: true },
  { name: 'a log whose key was changed, by who has the old one', verdict: 'good', codes: [], events: once },
  { name: 'a log whose key was changed, by who has the new one', verdict: 'good', codes: [], events: once, key: KEYS.second.vkey(ORIGIN) },
  { name: 'a log whose key was changed twice, by who has the oldest', verdict: 'good', codes: [], events: twice },
  { name: 'a log whose key was changed twice, by who has the middle one in a policy', verdict: 'good', codes: [], events: twice, key: `log ${KEYS.second.vkey(ORIGIN)}\nquorum none\n` },
  { name: 'a log whose key was changed twice, by who has the newest as 64 digits', verdict: 'good', codes: [], events: twice, key: KEYS.third.public.toString('hex') },
  { name: 'a checkpoint from before the change, held by who has the newest key', verdict: 'good', codes: [], events: twice, key: KEYS.third.vkey(ORIGIN), older: i => i.checkpoint(11) },
  { name: 'a checkpoint from between two changes, held by who has the oldest key', verdict: 'good', codes: [], events: twice, older: i => i.checkpoint(place(i) + 2) },
  { name: 'a checkpoint from before the change, anchored', verdict: 'good', codes: [], events: once, key: KEYS.second.vkey(ORIGIN), files: (f, i) => f.set('anchors/11.checkpoint', Buffer.from(i.checkpoint(11))) },
  { name: 'a person\u2019s pack of a log whose key was changed twice', kind: 'person', verdict: 'good', codes: [], events: twice },
  { name: 'a restored log, by who has the first generation\u2019s key', verdict: 'good', codes: [], generations: true, key: KEYS.log.vkey(ORIGIN) },
  bad('a changed key, by who has a stranger\u2019s', ['signature'], { events: once, key: KEYS.stranger.vkey(ORIGIN) }),
  bad('the old key signs after the change', ['signature'], { events: once, files: (f, i) => f.set('checkpoint', Buffer.from(i.checkpoint(undefined, KEYS.log))) }),
  bad('the old key signs after the change, by who has the new one', ['signature'], { events: once, key: KEYS.second.vkey(ORIGIN), files: (f, i) => f.set('checkpoint', Buffer.from(i.checkpoint(undefined, KEYS.log))) }),
  bad('the middle key signs after the second change', ['signature'], { events: twice, files: (f, i) => f.set('checkpoint', Buffer.from(i.checkpoint(undefined, KEYS.second))) }),
  bad('the new key signs without a change', ['signature'], { files: (f, i) => f.set('checkpoint', Buffer.from(i.checkpoint(undefined, KEYS.second))) }),
  bad('the old key signs after the change in a person\u2019s pack', ['signature'], { kind: 'person', events: i => { once(i); i.signer = () => KEYS.log; } }),
  bad('a person\u2019s pack without the change of the key', ['signature'], { kind: 'person', events: once, files: (f, i) => { f.delete(`log/${place(i)}.json`); f.delete(`log/${place(i)}.tlog-proof`); } }),
  bad('a checkpoint that the old key signed after the change, held', ['signature'], { events: once, older: i => i.checkpoint(place(i) + 1, KEYS.log) }),
  bad('a checkpoint that the new key signed before the change, held', ['signature'], { events: once, older: i => i.checkpoint(11, KEYS.second) }),
  bad('a checkpoint that the old key signed after the change, anchored', ['signature'], { events: once, files: (f, i) => f.set(`anchors/${place(i) + 1}.checkpoint`, Buffer.from(i.checkpoint(place(i) + 1, KEYS.log))) }),
  bad('a checkpoint that a stranger signed, anchored', ['anchor'], { files: (f, i) => f.set('anchors/11.checkpoint', Buffer.from(i.checkpoint(11, KEYS.stranger))) }),
  bad('another log than a checkpoint from before the change', ['rollback'], { events: once, key: KEYS.second.vkey(ORIGIN), older: () => KEYS.log.note(ORIGIN, `${ORIGIN}\n11\n${sha256('x').toString('base64')}\n`) }),
  bad('a change that the old key did not sign', ['log_key'], { events: falsely([KEYS.log, KEYS.second], n => ({ old_signature: changeOf([KEYS.stranger, KEYS.second], n).old_signature })) }),
  bad('a change that the new key did not sign', ['log_key'], { events: falsely([KEYS.log, KEYS.second], n => ({ new_signature: changeOf([KEYS.log, KEYS.stranger], n).new_signature })) }),
  bad('a change that was signed for another place', ['log_key'], { events: falsely([KEYS.log, KEYS.second], n => changeOf([KEYS.log, KEYS.second], n + 1)) }),
  bad('a change that was signed for another log', ['log_key'], { events: falsely([KEYS.log, KEYS.second], n => changeOf([KEYS.log, KEYS.second], n, `${ORIGIN}/2`)) }),
  bad('a change to the same key', ['log_key'], { events: falsely([KEYS.log, KEYS.log]) }),
  bad('a change that ends another key than the one in force', ['log_key'], { events: i => { once(i); falsely([KEYS.log, KEYS.third])(i); } }),
  bad('a change of two strangers before the log\u2019s own', ['log_key'], { events: i => { falsely([KEYS.stranger, KEYS.third])(i); once(i); } }),
  bad('a change of two strangers', ['log_key'], { key: KEYS.log.vkey(ORIGIN), events: falsely([KEYS.stranger, KEYS.third]) }),
  bad('a change that brings an old key back', ['log_key'], { events: i => { once(i); falsely([KEYS.second, KEYS.log])(i); } }),
  bad('a change without a signature', ['fields'], { events: falsely([KEYS.log, KEYS.second], () => ({ old_signature: 'none' })) }),
  { name: 'a person\u2019s pack', kind: 'person', verdict: 'good', codes: [] },
  { name: 'a person\u2019s pack with a certificate and a story that somebody else wrote', kind: 'person', verdict: 'good', codes: [], says: 'What certificate.pdf and story.txt say: they are for people, and were not compared with the log.', files: f => { f.set('certificate.pdf', Buffer.from('%PDF-1.7 forged')); f.set('story.txt', Buffer.from('Nobody was ever written to.\n')); } },
  { name: 'an incident\u2019s pack with a certificate that somebody else wrote', verdict: 'good', codes: [], says: 'What summary.html and certificate.pdf say: they are for people, and were not compared with the log.', files: f => f.set('certificate.pdf', Buffer.from('%PDF-1.7 forged')) },
  { name: 'a person\u2019s pack without a key', kind: 'person', verdict: 'unsigned', codes: [], key: '' },
  { name: 'a person\u2019s pack and the checkpoint that the reader has', kind: 'person', verdict: 'good', codes: [], older: i => i.checkpoint() },
  { name: 'a person\u2019s pack and an older checkpoint', kind: 'person', verdict: 'partial', codes: [], older: i => i.checkpoint(11) },
  { name: 'a person\u2019s pack and a checkpoint of another log', kind: 'person', verdict: 'partial', codes: [], older: i => i.checkpoint(11, KEYS.log, ORIGIN.replace('1', '2')) },
  { name: 'a person\u2019s pack and the reader\u2019s own list', kind: 'person', verdict: 'partial', codes: [], list: i => i.lines(i.lists.get(1)).map(l => `${l}\n`).join('') },
  { name: 'a person\u2019s pack under a policy that asks for a witness', kind: 'person', verdict: 'partial', codes: [], key: POLICY },
  { name: 'a person\u2019s pack and the keys of approvers', kind: 'person', verdict: 'partial', codes: [], approvers: KEYS.approver.public.toString('hex') },
  bad('a person\u2019s pack and a newer checkpoint', ['rollback'], { kind: 'person', older: i => KEYS.log.note(ORIGIN, `${ORIGIN}\n${i.leaves.length + 1}\n${sha256('x').toString('base64')}\n`) }),
  bad('a person\u2019s pack and another log of the same size', ['rollback'], { kind: 'person', older: i => KEYS.log.note(ORIGIN, `${ORIGIN}\n${i.leaves.length}\n${sha256('x').toString('base64')}\n`) }),
  { name: 'a log of a later version', verdict: 'cannot', codes: [], events: i => { i.opened.d.format = 2; } },
  { name: 'half a zip', verdict: 'cannot', codes: [], bytes: b => b.subarray(0, b.length / 2) },
  { name: 'a zip of something else', verdict: 'cannot', codes: [], files: f => { f.clear(); f.set('letter.txt', Buffer.from('hello')); } },

  bad('text before the zip', ['pack'], { bytes: b => Buffer.concat([Buffer.from('Dear regulator,\n'), b]) }),
  bad('text behind the zip', ['pack'], { bytes: b => Buffer.concat([b, Buffer.from('Yours faithfully\n')]) }),
  bad('a second end behind the zip\u2019s directory', ['pack'], { bytes: b => Buffer.concat([b, b.subarray(-22)]) }),
  bad('a comment in the zip', ['pack'], { bytes: b => { const said = Buffer.from('good'), end = Buffer.from(b); end.writeUInt16LE(said.length, end.length - 2); return Buffer.concat([end, said]); } }),
  bad('text before the zip, and a directory that knows it', ['pack'], { before: Buffer.from('Dear regulator,\n') }),
  bad('a name twice', ['pack'], { entries: e => [...e, e[3]] }),
  bad('a name that differs from another by its case alone', ['pack'], { files: f => f.set('CHECKPOINT', Buffer.from('x')) }),
  bad('a name with a dot at its end', ['pack'], { files: f => f.set('checkpoint.', Buffer.from('x')) }),
  bad('a name with a part that is empty', ['pack'], { files: f => f.set('texts//x', Buffer.from('x')) }),
  bad('a path out of the pack', ['pack'], { entries: e => [...e, ['../evil', Buffer.from('x')]] }),
  bad('a name with markup', ['pack'], { entries: e => [...e, ['<img src=x onerror=alert(1)>', Buffer.from('x')]] }),
  bad('a file that unpacks to more than the directory says', ['pack'], { lie: n => (n === 'plans/1.json' ? { size: 3 } : {}) }),
  bad('a bundle that would unpack to a gigabyte', ['pack'], { lie: n => (n.startsWith('tile/entries') ? { size: 1e9 } : {}) }),
  bad('another name in its place than in the directory', ['pack'], { lie: n => (n === 'checkpoint' ? { localName: 'checkpoinT' } : {}) }),
  bad('a link out of the pack', ['pack'], { lie: n => (n === 'README.txt' || n.startsWith('texts/') ? { mode: 0o120777 } : {}) }),
  bad('two small files that unpack to 80 MiB', ['pack'], { files: f => { for (const n of ['1', '2']) f.set(`messages/${n}.pdf`, Buffer.alloc(40 * 2 ** 20)); } }),
  bad('a checksum that differs', ['pack'], { lie: n => (n === 'checkpoint' ? { crc: 1 } : {}) }),
  bad('a text that is not what its name says', ['text'], { files: f => change(f, name(f, 'texts/'), () => 'other') }),

  bad('a text in the place of another, named by its own hash', ['text'], { files: f => { f.delete(name(f, 'texts/')); f.set(`texts/${sha256('other').toString('hex')}.hbs`, Buffer.from('other')); } }),
  bad('a pack without its texts', ['text'], { files: f => f.delete(name(f, 'texts/')) }),

  bad('signed by somebody else', ['signature'], { files: (f, i) => f.set('checkpoint', Buffer.from(i.checkpoint(undefined, KEYS.stranger))) }),
  bad('a signature with one bit changed', ['signature'], { files: f => change(f, 'checkpoint', c => { const s = c.toString(), line = s.trimEnd().split(' '), v = Buffer.from(line.at(-1), 'base64'); v[20] ^= 1; return s.replace(line.at(-1), v.toString('base64')); }) }),
  bad('a key for another log', ['signature'], { key: KEYS.log.vkey('log.example/other') }),
  bad('an older pack than a checkpoint that the reader holds', ['rollback'], { older: i => i.add({ k: 'hold.set', d: { hold: USERS.approver, user: USERS.approver, command: USERS.preparer } }).seal().checkpoint(), olderFirst: true }),
  bad('another log than a checkpoint that the reader holds', ['rollback'], { older: i => { const t = i.checkpoint(11).split('\n'); return i.constructor && KEYS.log.note(ORIGIN, `${t[0]}\n11\n${sha256('x').toString('base64')}\n`); } }),
  bad('a second generation that hides the end of the first', ['opened'], { generations: true, files: (f, i) => { for (const n of [...f.keys()]) if (n.startsWith('generation/')) f.delete(n); const first = i.leaves.slice(0, 14); f.set('generation/1/checkpoint', Buffer.from(i.checkpoint(14))); logFiles(first, (n, b) => f.set(n, b), 'generation/1/'); } }),
  bad('a first generation that is missing', ['opened'], { generations: true, files: f => { for (const n of [...f.keys()]) if (n.startsWith('generation/')) f.delete(n); } }),
  bad('bundles without the last event', ['size'], { files: (f, i) => { for (const n of [...f.keys()]) if (n.startsWith('tile/')) f.delete(n); logFiles(i.leaves.slice(0, -1), (n, b) => f.set(n, b)); } }),
  bad('a byte behind the last event', ['size'], { files: f => change(f, name(f, 'tile/entries/'), b => Buffer.concat([b, Buffer.of(0)])) }),
  bad('a changed byte of an event', ['tile', 'root'], { files: f => change(f, name(f, 'tile/entries/'), b => flip(b, 2)), leaf: 0 }),
  bad('a changed time in an event', ['tile', 'root'], { files: f => change(f, name(f, 'tile/entries/'), b => flip(b, b.indexOf('2026-', b.indexOf('message.intent')) + 22)) }),
  bad('a changed tile', ['tile'], { files: f => change(f, name(f, 'tile/0/'), b => flip(b, 70)), leaf: 2 }),
  bad('a changed tile of level 1', ['tile'], { people: 400, files: f => change(f, name(f, 'tile/1/'), b => flip(b, 40)), leaf: 256 }),
  bad('a missing tile', ['tile'], { files: f => f.delete(name(f, 'tile/0/')) }),
  bad('a tile that has no place', ['tile'], { files: f => f.set('tile/1/000', Buffer.alloc(8192)) }),
  bad('a tile with a number that is not written so', ['tile'], { files: f => f.set('tile/0/0000', Buffer.alloc(32)) }),
  bad('an event signed again with another size', ['root'], { files: (f, i) => f.set('checkpoint', Buffer.from(KEYS.log.note(ORIGIN, `${ORIGIN}\n${i.leaves.length}\n${sha256('y').toString('base64')}\n`))) }),

  bad('an event with a space', ['canonical'], { events: i => { at(i, 'plan.prepared').raw = '{"d": {}}'; } }),
  bad('an event with a key twice', ['canonical'], { events: i => { at(i, 'row.discarded').raw = '{"d":{},"d":{},"id":"x"}'; } }),
  bad('an event with a broken number', ['canonical'], { events: i => { at(i, 'row.discarded').raw = canonical({ d: { x: 1.5 } }); } }),
  bad('an event with a letter beyond ASCII', ['canonical'], { events: i => { at(i, 'row.discarded').raw = '{"d":"\u00e9"}'; } }),
  bad('an event of 5,000 bytes', ['canonical'], { events: i => { at(i, 'row.discarded').raw = canonical({ d: 'x'.repeat(5000) }); } }),
  bad('a kind that there is not', ['kind'], { events: i => { at(i, 'row.discarded').k = 'row.forgotten'; } }),
  bad('an event of another log', ['inc'], { events: i => { at(i, 'row.discarded').top = { inc: USERS.preparer }; } }),
  bad('a field that is missing', ['fields'], { events: i => { delete at(i, 'row.discarded').d.user; } }),
  bad('a field of another kind', ['fields'], { events: i => { at(i, 'row.discarded').d.list = '1'; } }),
  bad('a field that the kind does not know', ['fields'], { events: i => { at(i, 'row.discarded').d.reason = 'it is Ada Lovelace'; } }),
  bad('an event of the system\u2019s log', ['kind'], { events: i => after(i, i.opened, { k: 'lane.stopped', d: { lane: 'a', code: '401' } }) }),
  bad('a day that there is not', ['fields'], { events: i => { at(i, 'row.discarded').t = '2026-02-30T00:00:00.000000Z'; } }),
  bad('a message that names no person', ['fields'], { events: i => after(i, at(i, 'message.accepted'), { ...message(P[0], 'sms').late('sent'), p: undefined }) }),
  bad('a log without an opening', ['opened'], { events: i => i.events.shift() }),
  bad('a log opened twice', ['opened'], { events: i => after(i, i.opened, { ...i.opened }) }),
  bad('a log opened under another name', ['opened'], { events: i => { i.opened.d.origin = 'elsewhere/1'; } }),

  bad('an event of a person dropped', ['chain'], { events: i => { at(i, 'receipt.late').isForgotten = false; const e = at(i, 'receipt', 0, P[0]); e.isDropped = true; }, dropped: true }),
  bad('an event that names another before it', ['chain'], { events: i => { at(i, 'receipt.late').top = { prev: sha256('z').toString('hex') }; } }),
  bad('a person who stands in no list', ['stranger'], { events: i => { const m = message(personId(77), 'sms'); i.add(m.intent(), m.accepted()); } }),
  bad('an event id twice', ['repeated_id'], { events: i => { const id = USERS.preparer; at(i, 'row.discarded').id = id; at(i, 'receipt.late').id = id; } }),

  bad('a person dropped from the manifest', ['manifest'], { files: (f, i) => change(f, 'manifest.jsonl', m => m.toString().replace(`${i.lines([P[0]])[0]}\n`, '')) }),
  bad('list 1 under two names', ['manifest'], { files: f => f.set('manifest.1.jsonl', f.get('manifest.jsonl')) }),
  bad('a manifest of a list without a number', ['manifest'], { files: f => f.set('manifest.02.jsonl', f.get('manifest.2.jsonl')) }),
  bad('a manifest that is not there', ['manifest'], { files: f => f.delete('manifest.2.jsonl') }),
  bad('a manifest out of order', ['manifest'], { files: f => change(f, 'manifest.jsonl', m => `${m.toString().trimEnd().split('\n').reverse().join('\n')}\n`) }),
  bad('a person in two lists', ['manifest'], { events: i => { i.lists.get(2).push(P[4]); i.contents = () => [...new Set(Object.getPrototypeOf(i).contents.call(i))]; } }),
  bad('a manifest of a list that nobody froze', ['manifest'], { files: (f, i) => f.set('manifest.3.jsonl', Buffer.from(`${i.lines([personId(50)])[0]}\n`)) }),
  bad('the reader\u2019s own list is another', ['own_list'], { list: i => `${i.lines([P[0]])[0]}\n` }),
  bad('a list signed by somebody else', ['list_signature'], { events: i => { at(i, 'list.signed').d = { key: KEYS.stranger.public.toString('hex') }; } }),
  bad('a signed list with another count', ['list_signature'], { events: i => { at(i, 'list.signed').d = { count: 4 }; } }),
  good('a further list that says what it changed', i => after(i, at(i, 'list.frozen', 1), { k: 'list.amended', list: 2 }, { k: 'log.delayed', d: { waiting: 3, seconds: 75 } })),
  bad('a further list that says it changed something else', ['manifest'], { events: i => after(i, at(i, 'list.frozen', 1), { k: 'list.amended', list: 2, d: { count: 9 } }) }),
  bad('a first list that says it changed something', ['manifest'], { events: i => after(i, at(i, 'list.frozen'), { k: 'list.amended', list: 1 }) }),
  bad('rows that do not add up', ['rows'], { events: i => { at(i, 'list.frozen').d = { rows: 9 }; } }),

  bad('a plan without its text', ['plan'], { files: f => { f.delete('plans/1.json'); f.delete('contents.1.jsonl'); f.delete('approvals/1-1.json'); } }),
  bad('a plan with another text', ['plan'], { files: f => change(f, 'plans/1.json', p => p.toString().replace('"v":1', '"v":2')) }),
  bad('a plan started before it was approved', ['plan'], { events: i => remove(i, at(i, 'plan.approved')) }),
  bad('a plan whose text speaks of another', ['plan'], { events: i => { i.planNumber = 2; } }),
  bad('a plan paused twice', ['plan'], { events: i => after(i, at(i, 'plan.paused'), { k: 'plan.paused', plan: 1 }) }),
  good('a plan that was approved and withdrawn, and under which nothing went', i => { i.events = i.events.filter(e => !/^(message|receipt)/.test(e.k) && !['plan.started', 'plan.paused', 'plan.resumed'].includes(e.k)); after(i, at(i, 'plan.approved'), { k: 'plan.withdrawn', plan: 1 }); }),
  bad('a plan withdrawn that runs', ['plan'], { events: i => i.add({ k: 'plan.withdrawn', plan: 1 }) }),
  bad('approved by who prepared it', ['approval'], { events: i => { at(i, 'plan.approved').d = { user: USERS.preparer }; } }),
  bad('an approval that is not in the pack', ['approval'], { files: f => f.delete('approvals/1-1.json') }),
  bad('an approval of another plan', ['approval'], { files: f => change(f, 'approvals/1-1.json', a => { const v = JSON.parse(a); v.statement = v.statement.replace(/[0-9a-f]{64}/, 'f'.repeat(64)); v.signature = KEYS.approver.sign(v.statement).toString('hex'); return JSON.stringify(v); }) }),
  bad('an approval that was signed as another command', ['approval'], { files: f => change(f, 'approvals/1-1.json', a => { const v = JSON.parse(a); v.statement = v.statement.replace('plan approve', 'plan go'); v.signature = KEYS.approver.sign(v.statement).toString('hex'); return JSON.stringify(v); }) }),
  bad('an approval that was signed for no installation', ['approval'], { files: f => change(f, 'approvals/1-1.json', a => { const v = JSON.parse(a); v.statement = v.statement.replace(/"installation":"[^"]*",/, ''); v.signature = KEYS.approver.sign(v.statement).toString('hex'); return JSON.stringify(v); }) }),
  bad('an approval whose signature does not hold', ['approval'], { files: f => change(f, 'approvals/1-1.json', a => { const v = JSON.parse(a); v.key = KEYS.stranger.public.toString('hex'); return JSON.stringify(v); }) }),
  bad('a plan that asks for two approvals, and has one', ['approval'], { events: i => { i.inPlan = { approvals: 2 }; } }),
  bad('a plan that asks for two approvals, and has one twice', ['approval'], { events: i => { i.inPlan = { approvals: 2 }; after(i, at(i, 'plan.approved'), { k: 'plan.approved', plan: 1 }); } }),
  bad('a plan that asks for two approvals, and has two names with one key', ['approval'], { events: i => { i.inPlan = { approvals: 2 }; after(i, at(i, 'plan.approved'), { k: 'plan.approved', plan: 1, d: { user: OTHER } }); }, files: f => approve(f, KEYS.approver) }),
  { name: 'a plan that asks for two approvals, and has both', verdict: 'good', codes: [], events: i => { i.inPlan = { approvals: 2 }; after(i, at(i, 'plan.approved'), { k: 'plan.approved', plan: 1, d: { user: OTHER } }); }, files: f => approve(f, KEYS.second) },
  bad('a plan whose text says a thing twice', ['plan'], { events: i => { i.spellPlan = text => text.replace('"v":1', '"v":1,"v":1'); } }),
  bad('a plan that names a list that was not frozen so', ['plan'], { events: i => { i.inPlan = { lists: [{ list: 1, people: 6, root: HASH }] }; } }),
  bad('a plan that no event prepared', ['plan'], { files: f => { f.set('plans/2.json', f.get('plans/1.json')); f.set('contents.2.jsonl', f.get('contents.1.jsonl')); } }),
  bad('empty contents of a plan that there is not', ['plan'], { files: f => f.set('contents.2.jsonl', Buffer.alloc(0)) }),
  bad('an approval of a plan that there is not', ['plan'], { files: f => f.set('approvals/2-1.json', f.get('approvals/1-1.json')) }),
  bad('a plan under a name that the format does not have', ['plan'], { files: f => f.set('plans/01.json', f.get('plans/1.json')) }),
  bad('contents under a name that the format does not have', ['contents'], { files: f => f.set('contents.jsonl', f.get('contents.1.jsonl')) }),
  bad('an approval under a name that the format does not have', ['approval'], { files: f => f.set('approvals/1.json', f.get('approvals/1-1.json')) }),
  bad('an anchor under a name that the format does not have', ['anchor'], { files: f => f.set('anchors/latest.tsr', Buffer.from('x')) }),
  bad('a text without a hash for its name', ['text'], { files: f => f.set('texts/readme.txt', Buffer.from('x')) }),
  { name: 'a plan that was approved by a key that the reader knows', verdict: 'good', codes: [], approvers: `# the controller\u2019s\n${KEYS.second.public.toString('hex')}\n${KEYS.approver.public.toString('hex')} Bob\n` },
  { name: 'a good pack whose list is signed by a key that nobody named', verdict: 'good', codes: [], says: `Signed by the key ${LIST_KEY}; compare it with the one that the controller gave you` },
  { name: 'lists that are signed by a key that the reader knows', verdict: 'good', codes: [], listKeys: `# the controller\u2019s\n${KEYS.second.public.toString('hex')}\n${LIST_KEY} Northmere\n`, events: signedToo, says: `Signed by the key ${LIST_KEY}, which you named` },
  bad('a list that is signed by a key that the reader does not know', ['list_signature'], { listKeys: KEYS.stranger.public.toString('hex'), events: signedToo }),
  { name: 'a list that nobody signed, and a key that the reader knows', verdict: 'partial', codes: [], listKeys: LIST_KEY, says: 'Nobody signed list 2: of it the list keys that you named checked nothing' },
  { name: 'no list that is signed, and a key that the reader knows', verdict: 'partial', codes: [], listKeys: LIST_KEY, events: i => remove(i, at(i, 'list.signed')), says: 'No list is signed, so the list keys that you named checked nothing' },
  { name: 'a person\u2019s pack, and the key that signed all lists', kind: 'person', verdict: 'good', codes: [], listKeys: LIST_KEY, events: signedToo },
  bad('a person\u2019s pack, and another key than signed its lists', ['list_signature'], { kind: 'person', listKeys: KEYS.stranger.public.toString('hex'), events: signedToo }),
  bad('a plan that was approved by a key that the reader does not know', ['approval'], { approvers: KEYS.second.public.toString('hex') }),
  bad('a plan that asks for two approvals, and the reader knows one of the keys', ['approval'], { approvers: KEYS.approver.public.toString('hex'), events: i => { i.inPlan = { approvals: 2 }; after(i, at(i, 'plan.approved'), { k: 'plan.approved', plan: 1, d: { user: OTHER } }); }, files: f => approve(f, KEYS.second) }),
  bad('a plan without its contents', ['contents'], { files: f => f.delete('contents.1.jsonl') }),
  bad('notified under a profile that says what ends a notice nowhere', ['notice'], { events: i => { i.profiles = { 'uk-gdpr': {} }; } }),
  bad('contents that are not those of the plan', ['contents'], { files: (f, i) => change(f, 'contents.1.jsonl', c => c.toString().replace(`${i.contents().find(l => l.includes(P[5]))}\n`, '')) }),

  bad('a move that there is not', ['move'], { events: i => after(i, at(i, 'receipt.late'), { ...message(P[0], 'sms').overdue({ attempt: 1 }) }) }),
  bad('a kind that moves elsewhere', ['move'], { events: i => { at(i, 'message.accepted').d.to = 'sent'; remove(i, at(i, 'receipt', 0, P[0])); } }),
  bad('a second send after acceptance', ['second_send'], { events: i => { const m = message(P[0], 'sms'); i.add(m.intent({ attempt: 2 }), m.accepted({ to: 'accepted' })); } }),
  bad('a second call while one is open', ['second_send'], { events: i => { const e = at(i, 'message.intent'); after(i, e, { ...e, d: { ...e.d, attempt: 2 } }); } }),
  bad('a first call while it is not known', ['second_send'], { events: i => { const e = at(i, 'message.intent', 1, P[2]); e.d.repeat = false; } }),
  bad('a call before the plan runs', ['no_plan'], { events: i => { const e = at(i, 'plan.started'); remove(i, e); after(i, at(i, 'message.intent'), e); } }),
  bad('a call under a profile that the plan does not have', ['no_plan'], { events: i => { at(i, 'message.intent').d.profile = 'us-ca'; } }),
  bad('a call under another profile than the one before', ['no_plan'], { events: i => { i.profiles = { 'us-ca': { closing: [] } }; at(i, 'message.intent', 1, P[1]).d.profile = 'us-ca'; } }),
  bad('notified by what ends no notice under the person\u2019s profile', ['notice'], { events: i => { i.profiles = { 'us-ca': { closing: [{ channel: 'letter', content: 'full', state: 'handed_to_carrier' }] } }; at(i, 'message.intent').d.profile = 'us-ca'; } }),
  bad('a call under a hold of the person', ['held'], { events: i => remove(i, at(i, 'hold.lifted')) }),
  bad('a call under a hold of the incident', ['held'], { events: i => after(i, at(i, 'plan.started'), { k: 'hold.set', d: { hold: USERS.approver, user: USERS.approver, command: USERS.preparer } }) }),
  bad('an escalation without cause', ['no_cause'], { events: i => { remove(i, at(i, 'receipt', 0, P[1])); i.events.find(e => e.d?.status === 'returned').d.notice = 'open'; } }),
  bad('a report of a message that was never called', ['move'], { events: i => i.add(message(P[5], 'sms').receipt('delivered_to_handset', { notice: 'notified' })) }),
  bad('a report of a message that was never called in a person\u2019s pack', ['move'], { kind: 'person', events: i => i.add(message(P[0], 'letter').receipt('printed')) }),
  bad('an acceptance of a message that was never called', ['move'], { events: i => i.add(message(P[5], 'letter').accepted()) }),
  good('a message that a restore forgot, found after it', i => { const m = message(P[5], 'sms'); i.add(m.unknown({ ground: 'restored' }), RECONCILED, m.resolved('found', 'accepted'), m.receipt('delivered_to_handset', { notice: 'notified' })); }),
  bad('a message that a restore forgot, found although nobody reconciled', ['move'], { events: i => { const m = message(P[5], 'sms'); i.add(RECONCILED, m.unknown({ ground: 'restored' }), m.resolved('found', 'accepted')); } }),
  bad('a letter to somebody who was notified by text', ['no_cause'], { events: i => { const m = message(P[0], 'letter'); i.add(m.intent(), m.accepted()); } }),
  bad('a letter to somebody who was notified by text, in a person\u2019s pack', ['no_cause'], { kind: 'person', events: i => { const m = message(P[0], 'letter'); i.add(m.intent(), m.accepted()); } }),
  good('a text that alerts beside a letter that notified', beside({ 'sms-and-letter': 1 })),
  bad('a text to somebody who was notified by letter', ['no_cause'], { events: beside({ letter: 1, sms: 1 }) }),
  bad('a call to somebody of a list that the plan does not name', ['contents', 'no_plan'], { events: unnamed }),
  bad('a call to somebody of a list that is not frozen yet', ['contents', 'no_plan'], { events: i => { const e = at(i, 'list.frozen', 1); remove(i, e); unnamed(i); i.add(e); } }),
  bad('more messages of one person than anybody is sent', ['pack'], { events: i => { for (let ordinal = 1; ordinal < 102; ordinal++) i.add({ ...unfit(P[4]), d: { ...unfit(P[4]).d, reason: 'correction', ordinal } }); } }),
  bad('a further text while the one before has arrived', ['no_cause'], { events: i => { const m = message(P[0], 'sms', { ordinal: 2 }); i.add(m.intent(), m.accepted()); } }),
  good('a further text after one that failed', i => { const m = message(P[1], 'sms', { ordinal: 2 }); i.add(m.intent(), m.accepted()); }),
  bad('a text sent again that had arrived', ['no_cause'], { events: i => { const m = message(P[0], 'sms', { reason: 'resend' }); i.add(m.intent(), m.accepted()); } }),
  bad('a text sent again while the first call is open', ['no_cause'], { events: i => { const [one, again] = [{}, { reason: 'resend' }].map(of => message(P[5], 'sms', of)); i.add(one.intent(), again.intent(), one.accepted(), again.accepted()); } }),
  good('a letter sent again after it came back', i => { const m = message(P[1], 'letter', { reason: 'resend' }); i.add(m.intent(), m.accepted()); }),
  bad('an escalation by the channel on which the first has arrived', ['no_cause'], { events: i => { const m = message(P[1], 'letter'); after(i, at(i, 'receipt', 0, P[1]), m.intent(), m.accepted(), m.receipt('handed_to_carrier')); delete i.events.find(e => e.d?.status === 'returned').d.notice; } }),
  bad('a correction under the plan that told what it corrects', ['no_cause'], { events: i => { const m = message(P[0], 'sms', { reason: 'correction' }); i.add(m.intent(), m.accepted()); } }),
  bad('a further phase under the plan of the one before', ['no_cause'], { events: i => { const m = message(P[0], 'sms', { phase: 2 }); i.add(m.intent(), m.accepted()); } }),
  bad('other words than were approved', ['wrong_content'], { events: i => { at(i, 'message.intent').d.content = sha256('q').toString('hex'); } }),
  bad('another address than was listed', ['wrong_destination'], { events: i => { at(i, 'message.intent').d.destination = sha256('q').toString('hex'); } }),
  good('the person\u2019s key destroyed, and a late report', i => i.add(destroyed(P[0]), erased(message(P[0], 'sms').late('sent')))),
  bad('a call after the person\u2019s key was destroyed', ['move'], { events: i => i.add(destroyed(P[5]), erased(message(P[5], 'sms').intent())) }),
  bad('an event after the key was destroyed that does not say so', ['fields'], { events: i => i.add(destroyed(P[0]), message(P[0], 'sms').late('sent')) }),
  bad('an event that says the key is destroyed while it is not', ['fields'], { events: i => i.add(erased(message(P[0], 'sms').late('sent'))) }),
  good('a message that is unfit, and ends for want of attempts', i => { const m = message(P[5], 'sms'); i.add(unfit(P[5]), m.exhausted({ attempt: 0, ground: 'attempts', tries: 0, limit: 5 })); }),
  bad('attempts that end without their number', ['fields'], { events: i => i.add(message(P[5], 'sms').exhausted({ ground: 'attempts', tries: 5 })) }),
  bad('an unfit message that moves', ['move'], { events: i => i.add({ ...unfit(P[5]), d: { ...unfit(P[5]).d, to: 'exhausted' } }) }),
  good('letters as their provider shows them', i => { const m = message(P[3], 'letter'), other = sha256('q').toString('hex'); i.add(m.shown(), m.shown({ content: other, ground: 'as_many_pages' }), m.shown({ content: other, ground: 'other_pages', pages: 1 })); }),
  bad('a letter shown with the same bytes, which are others', ['wrong_content'], { events: i => i.add(message(P[3], 'letter').shown({ content: sha256('q').toString('hex') })) }),
  bad('a letter shown that was never called', ['move'], { events: i => i.add(message(P[5], 'letter').shown({ attempt: 0 })) }),
  bad('a letter shown that nobody can read, and its pages', ['fields'], { events: i => i.add(message(P[3], 'letter').shown({ ground: 'unreadable' })) }),
  good('a message that may have left before a restore', i => i.add(message(P[5], 'sms').unknown({ ground: 'restored' }))),
  bad('a lease that ended before any call', ['move'], { events: i => i.add(message(P[5], 'sms').unknown()) }),
  good('the facts of the incident', i => i.add({ k: 'export.made', d: { what: 'pack', for: 'court', hash: HASH, ...BY } }, { k: 'restore.reconciled', d: { imported: 1, unknown: 2, held: 0, ...BY } }, { k: 'contact.viewed', p: P[0], d: { purpose: 'pack', ...BY } })),
  bad('a kind of an incident that the format does not have', ['kind'], { events: i => i.add({ k: 'incident.renamed', d: BY }) }),
  good('an incident closed, reopened and closed, and a late report between', i => i.add(closed({ open: 2, reason: 'two people abroad' }), message(P[0], 'sms').late('sent'), REOPENED, closed())),
  bad('an incident closed although something is open, without a reason', ['fields'], { events: i => i.add(closed({ open: 1 })) }),
  bad('an incident closed twice', ['closed'], { events: i => i.add(closed(), closed()) }),
  bad('an incident reopened that is open', ['closed'], { events: i => i.add(REOPENED) }),
  bad('a call while the incident is closed', ['closed'], { events: i => after(i, at(i, 'plan.started'), closed({ open: 4, reason: 'enough' })) }),
  good('a person asked because the settings lost the lane', i => { const m = message(P[5], 'sms'); i.add(m.intent(), m.unknown(), m.asked({ ground: 'no_lane' })); }),
  bad('a person asked for a reason that there is not', ['fields'], { events: i => { const m = message(P[5], 'sms'); i.add(m.intent(), m.unknown(), m.asked({ ground: 'no_reason' })); } }),
  good('a message sent again with a new deadline', i => { const m = message(P[5], 'sms'); i.add(m.intent(), m.unknown(), m.asked(), m.decided({ deadline_ms: 172800000 })); }),
  good('contact data of everybody opened for a check of templates and an audit', i => i.add(...['check', 'audit'].map(purpose => ({ k: 'contact.viewed', d: { purpose, ...BY } })))),
  bad('contact data of everybody opened for a preview', ['fields'], { events: i => i.add({ k: 'contact.viewed', d: { purpose: 'preview', ...BY } }) }),
  bad('contact data of one person opened for an audit', ['fields'], { events: i => i.add({ k: 'contact.viewed', p: P[0], d: { purpose: 'audit', ...BY } }) }),
  bad('contact data seen by nobody', ['fields'], { events: i => i.add({ k: 'contact.viewed', p: P[0], d: { purpose: 'pack' } }) }),
  good('statements of providers, one of which differs', i => i.add(STATEMENT(), STATEMENT({ ours: 4 }))),
  good('a content check that refused, for errors and for warnings', i => i.add(REFUSED(), REFUSED({ errors: undefined, warnings: 'C004:12' }))),
  bad('a check that refused and found nothing', ['fields'], { events: i => i.add(REFUSED({ errors: undefined })) }),
  bad('a check that refused without a count', ['fields'], { events: i => i.add(REFUSED({ errors: 'C055' })) }),
  bad('a check that refused by a rule that found nothing', ['fields'], { events: i => i.add(REFUSED({ errors: 'C055:3,C001:0' })) }),
  bad('a statement as of no moment', ['fields'], { events: i => i.add(STATEMENT({ as_of: '2026-02-30T00:00:00.000000Z' })) }),
  bad('a statement that counts nothing of ours', ['fields'], { events: i => i.add({ k: 'statement.compared', d: (({ ours: _, ...d }) => d)(STATEMENT().d) }) }),
  bad('an export for somebody else', ['fields'], { events: i => i.add({ k: 'export.made', d: { what: 'pack', for: 'press', hash: HASH, ...BY } }) }),
  bad('a failed audit that names nothing', ['fields'], { events: i => i.add({ k: 'audit.failed', d: { findings: 2 } }) }),
  bad('a plan event without its command', ['fields'], { events: i => { at(i, 'plan.paused').d = { command: null }; } }),
  bad('a hold lifted that does not stand', ['held'], { events: i => i.add({ k: 'hold.lifted', d: { hold: HOLD, ...BY } }) }),
  bad('a hold set twice', ['held'], { events: i => i.add(...[1, 2].map(() => ({ k: 'hold.set', d: { hold: HOLD, ...BY } }))) }),
  good('a hold of a person who is in no list yet', i => i.add({ k: 'hold.set', p: personId(88), d: { hold: HOLD, ...BY } })),
  good('a receipt with its body and scheme', i => { Object.assign(at(i, 'receipt').d, { body: HASH, scheme: 'hmac-sha256' }); }),
  good('a receipt that says whose word its status is', i => { at(i, 'receipt').d.claimed_by = 'estimate'; }),
  bad('a receipt that is the word of somebody else', ['fields'], { events: i => { at(i, 'receipt').d.claimed_by = 'gossip'; } }),
  bad('a receipt of another scheme', ['fields'], { events: i => { at(i, 'receipt.late').d.scheme = 'md5'; } }),
  bad('an attempt that is not the next', ['move'], { events: i => { i.add(message(P[5], 'sms').intent({ attempt: 2 })); } }),
  bad('news of an attempt that was not claimed', ['move'], { events: i => i.add({ ...message(P[0], 'sms').late('sent'), d: { ...message(P[0], 'sms').late('sent').d, attempt: 9 } }) }),
  bad('a repeat of a call that is not unknown', ['move'], { events: i => { i.add(message(P[5], 'sms').intent({ repeat: true })); } }),
  bad('a repeat while a person must decide', ['second_send'], { events: i => { const m = message(P[5], 'sms'); i.add(m.intent(), m.unknown(), m.asked(), m.intent({ repeat: true }), m.accepted()); } }),
  bad('a person\u2019s chain that forks in the second generation', ['chain'], { generations: true, events: i => { const e = i.events.filter(e => e.p === P[1]).at(-1); e.top = { n: 1, prev: null }; } }),
  { name: 'a good pack with keys/openings.jsonl and keys/rows.jsonl', verdict: 'good', codes: [], files: (f, i) => keysOf(f, i, reference) },
  { name: 'templates that say everything', verdict: 'good', codes: [], ...templates(FULL, LETTER) },
  { name: 'texts that alert beside texts that say everything', verdict: 'good', codes: [], ...templates(FULL, ALERT, LETTER) },
  { name: 'a template of which nobody knows what it says', verdict: 'good', codes: [], ...templates('Dear all', ALERT) },
  bad('notified by a text that only alerts', ['notice'], templates(ALERT, LETTER)),
  bad('a letter that comes back, and a notice that stays notified', ['notice'], { events: i => { const e = i.events.find(e => e.d?.status === 'returned'); delete e.d.notice; } }),
  good('a letter that comes back to somebody whom the text reached after all', i => { const e = i.events.find(e => e.d?.status === 'returned'), text = { ...at(i, 'receipt', 0, P[1]) }; delete e.d.notice; text.d = { ...text.d, status: 'delivered_to_handset', to: 'delivered_to_handset' }; i.events.splice(i.events.indexOf(e), 0, text); }),
  bad('unreachable, and nothing failed', ['notice'], { events: i => i.add(cancelled(P[5], { notice: 'unreachable' })) }),
  good('unreachable by the letter, and a text beside it that only alerts', hopeless('first', { 'sms-and-letter': 1 })),
  bad('unreachable by the letter, and a text that tells everything is under way', ['notice'], { events: hopeless('escalation', { 'sms-then-letter': 1 }) }),
  bad('a notice that moves to where it is', ['notice'], { events: i => { at(i, 'receipt.late').d.notice = 'notified'; } }),
  bad('notified by a report that does not end a notice', ['notice'], { events: i => { const r = at(i, 'receipt', 0, P[0]); r.d.notice = 'notified'; delete at(i, 'receipt', 1, P[0]).d.notice; } }),
  bad('a message\u2019s event that makes a notice exempt', ['fields'], { events: i => { at(i, 'receipt.late').d.notice = 'exempt'; } }),
  { name: 'people about whom somebody decided', verdict: 'good', codes: [], says: 'the command and its signature are not in a pack. Only approvals and the signatures of lists were checked.', events: i => i.add(exempt(P[4]), told(P[5])) },
  { name: 'a person about whom somebody decided', kind: 'person', verdict: 'good', codes: [], says: 'neither the command nor its signature is in a person\u2019s pack', events: i => { i.events = i.events.filter(e => e.p !== P[0]); i.add(exempt(P[0])); }, files: f => { f.delete('messages/1.txt'); } },
  good('people who are exempt or were told in another way', i => i.add(exempt(P[4]), told(P[5]), told(P[1]))),
  good('a decision that is taken back, and a call after it', i => { const m = message(P[5], 'sms'); i.add(exempt(P[4]), reopened(P[4]), exempt(P[5]), reopened(P[5]), m.intent(), m.accepted()); }),
  good('a decision that is taken back after the message arrived after all', i => { const m = message(P[5], 'sms'); i.add(m.intent(), m.accepted(), m.overdue(), exempt(P[5]), m.receipt('delivered_to_handset'), reopened(P[5], 'notified')); }),
  good('a decision under a withdrawn plan that is taken back, and the next plan tells', i => { const m = message(P[5], 'sms'); letGo(i, m.intent({ plan: 3 }), m.accepted(), m.receipt('delivered_to_handset', { notice: 'notified' })); }),
  good('the same by another channel', i => { const m = message(P[5], 'letter'); letGo(i, m.intent({ plan: 3 }), m.accepted(), m.receipt('handed_to_carrier', { notice: 'notified' })); }),
  good('a decision under a withdrawn plan that is taken back, and nobody has told yet', i => letGo(i)),
  bad('a call under the plan that was withdrawn, after the decision was taken back', ['no_plan'], { events: i => { const m = message(P[5], 'sms'); letGo(i, m.intent({ plan: 2 }), m.accepted()); } }),
  bad('two calls, by the withdrawn plan\u2019s message and by the next plan', ['second_send'], { events: i => { const m = message(P[5], 'sms'); letGo(i, m.intent({ plan: 3 }), m.accepted(), m.intent({ plan: 3 })); } }),
  bad('a call while the decision under a withdrawn plan stands', ['move', 'no_cause'], { events: i => { const m = message(P[5], 'sms'); letGo(i, m.intent({ plan: 3 }), m.accepted()); remove(i, at(i, 'notice.reopened')); remove(i, at(i, 'message.reopened')); } }),
  bad('a decision taken back that nobody made', ['notice'], { events: i => i.add(reopened(P[5])) }),
  bad('a decision taken back twice', ['notice'], { events: i => i.add(exempt(P[5]), reopened(P[5]), reopened(P[5])) }),
  bad('a decision taken back to notified, and no message says so', ['notice'], { events: i => i.add(exempt(P[5]), reopened(P[5], 'notified')) }),
  bad('a decision taken back to another decision', ['fields'], { events: i => i.add(exempt(P[5]), reopened(P[5], 'withdrawn')) }),
  bad('a decision taken back of somebody who is erased', ['fields'], { events: i => i.add(exempt(P[5]), destroyed(P[5]), reopened(P[5])) }),
  bad('somebody exempt who was notified', ['notice'], { events: i => i.add(exempt(P[0])) }),
  bad('somebody exempt twice', ['notice'], { events: i => i.add(exempt(P[5]), told(P[5])) }),
  bad('somebody told otherwise while a call is open', ['notice'], { events: i => { const m = message(P[5], 'sms'); i.add(m.intent(), told(P[5]), m.accepted()); } }),
  bad('a call to somebody who is exempt', ['no_cause'], { events: i => { const m = message(P[5], 'sms'); i.add(exempt(P[5]), m.intent(), m.accepted()); } }),
  bad('a report that moves a notice that was decided', ['notice'], { events: i => { const m = message(P[5], 'sms'); i.add(m.intent(), m.accepted(), m.overdue(), exempt(P[5]), m.receipt('delivered_to_handset', { notice: 'notified' })); } }),
  bad('somebody told in no way that there is', ['fields'], { events: i => i.add(told(P[5], { ground: 'by_pigeon' })) }),
  bad('a call that nothing closed', ['open_call'], { events: i => { const m = message(P[5], 'sms'); i.add(m.intent(), { k: 'row.discarded', d: at(i, 'row.discarded').d, t: '2026-11-11T12:00:00.000000Z' }); } }),
  bad('somebody without an end state, where completeness is demanded', ['incomplete'], { complete: true }),
  bad('times that run back', ['time'], { events: i => { at(i, 'receipt.late').t = '2026-11-11T08:49:00.000000Z'; } }),

  // What the format says of values and spellings, at its edges.
  bad('a code that is no word', ['fields'], { events: i => { at(i, 'message.accepted').d.code = 'HTTP 201'; } }),
  bad('a code of 33 letters', ['fields'], { events: i => { at(i, 'message.accepted').d.code = 'a'.repeat(33); } }),
  good('a code of 32 letters', i => { at(i, 'message.accepted').d.code = 'a_9'.padEnd(32, 'z'); }),
  good('a row that came as a job', i => { at(i, 'row.discarded').d.row = HASH; }),
  bad('a row with a hash in capitals', ['fields'], { events: i => { at(i, 'row.discarded').d.row = 'AB12'; } }),
  bad('a row 0', ['fields'], { events: i => { at(i, 'row.discarded').d.row = 0; } }),
  bad('a list 0', ['fields'], { events: i => { at(i, 'row.discarded').d.list = 0; } }),
  bad('a plan 0 that was refused', ['fields'], { events: i => i.add(REFUSED({ plan: 0 })) }),
  bad('a count below nothing', ['fields'], { events: i => i.add(STATEMENT({ ours: -1 })) }),
  bad('a row that waits for no reason', ['fields'], { events: i => { at(i, 'row.quarantined').d.codes = ''; } }),
  bad('an audit that passed with a finding', ['fields'], { events: i => { at(i, 'audit.passed').d.findings = 1; } }),
  bad('a phase beyond 2^32', ['fields'], { events: i => i.add({ ...exempt(P[5]), d: { ...exempt(P[5]).d, phase: 2 ** 32 } }) }),
  good('the last phase that there can be', i => i.add({ ...exempt(P[5]), d: { ...exempt(P[5]).d, phase: 2 ** 32 - 1 } })),
  bad('a first generation that says what came before', ['fields'], { events: i => Object.assign(i.opened.d, { from_size: 0, from_root: HASH, reason: 'restored' }) }),
  bad('a key that is destroyed twice', ['fields'], { events: i => i.add(destroyed(P[5]), { ...destroyed(P[5]), d: { ...BY, erased: true } }) }),
  bad('a leap second', ['fields'], { events: i => { at(i, 'row.discarded').t = '2026-11-11T08:59:60.000000Z'; } }),
  bad('a time in hour 24', ['fields'], { events: i => { at(i, 'row.discarded').t = '2026-11-11T24:00:00.000000Z'; } }),
  bad('a time without its six digits', ['fields'], { events: i => { at(i, 'row.discarded').t = '2026-11-11T08:59:59.000Z'; } }),
  bad('a number with a zero before it', ['canonical'], { events: i => { at(i, 'row.discarded').raw = '{"d":{"row":01}}'; } }),
  bad('a number that is minus nothing', ['canonical'], { events: i => { at(i, 'row.discarded').raw = '{"d":{"row":-0}}'; } }),
  bad('a number of 2^53', ['canonical'], { events: i => { at(i, 'row.discarded').raw = '{"d":{"row":9007199254740992}}'; } }),
  { name: 'a plan\u2019s text with every kind of sign in it', verdict: 'good', codes: [], events: i => { i.inPlan = { sender: 'Łódź \u{1f4e8} "A" \\ / \b\f\n\r\t\u0001\u001f\u007f\u2028' }; } },
  bad('a plan\u2019s text with a sign spelt by its number', ['plan'], { events: i => { i.inPlan = { sender: 'Ł' }; i.spellPlan = text => text.replace('Ł', '\\u0141'); } }),
  bad('a plan\u2019s text with a number that is not whole', ['plan'], { events: i => { i.inPlan = { price: 1.5 }; } }),
  bad('a plan\u2019s text with a whole number and a point', ['plan'], { events: i => { i.inPlan = { price: 1 }; i.spellPlan = text => text.replace('"price":1', '"price":1.0'); } }),
  bad('a plan\u2019s text with a name that is not ASCII', ['plan'], { events: i => { i.inPlan = { 'zażółć': 1 }; } }),
  { name: 'a plan\u2019s text nested 127 deep', verdict: 'good', codes: [], events: i => { i.inPlan = { deep: nested(126) }; } },
  bad('a plan\u2019s text nested 128 deep', ['plan'], { events: i => { i.inPlan = { deep: nested(127) }; } }),
  bad('an approval that is spelt otherwise', ['approval'], { files: f => change(f, 'approvals/1-1.json', a => a.toString().replace('{', '{ ')) }),
  bad('an approval that nobody counts, and whose signature does not hold', ['approval'], { files: f => { approve(f, KEYS.second); change(f, 'approvals/1-2.json', a => { const v = JSON.parse(a); return canonical({ ...v, key: KEYS.stranger.public.toString('hex') }); }); } }),
  bad('a person\u2019s keys that are spelt otherwise', ['opening'], { kind: 'person', files: f => change(f, 'keys.json', k => `${k} `) }),
  bad('a person\u2019s line with a line feed', ['manifest'], { kind: 'person', files: f => change(f, 'manifest-line.json', l => `${l}\n`) }),
  bad('a file that is packed in a way that the format does not have', ['pack'], { lie: n => (n === 'README.txt' ? { method: 12 } : {}) }),
  { name: 'the reader\u2019s own rows as a spreadsheet writes them', verdict: 'good', codes: [], csv: true, files: (f, i) => keysOf(f, i, reference),
    list: i => `\ufeff;;\n"Note, or, nothing, here";External Reference\n${[...i.lists.get(1), ...i.lists.get(1).slice(0, 2)].map(p => `x;"\u200bexternal_reference\u0085of\ufeff \u0301${p}\u200d"\n`).join('')}; \n\n"";"nonsense"\n` },
  bad('openings with a field that they do not have', ['own_list'], { csv: true, list: i => rows(i.lists.get(1)), files: (f, i) => { keysOf(f, i, reference); change(f, 'keys/openings.jsonl', r => r.toString().replace('}\n', ',"q":1}\n')); } }),

  bad('a proof for another leaf', ['proof'], { kind: 'person', files: f => change(f, 'events/2.tlog-proof', b => b.toString().replace(/index (\d+)/, (_, n) => `index ${Number(n) + 1}`)) }),
  bad('an event changed in a person\u2019s pack', ['proof'], { kind: 'person', files: f => change(f, 'events/5.json', b => flip(b, b.indexOf('2026-') + 22)) }),
  bad('an event missing in a person\u2019s pack', ['chain'], { kind: 'person', files: f => { f.delete('events/1.json'); f.delete('events/1.tlog-proof'); } }),
  bad('a line of another list', ['manifest'], { kind: 'person', files: f => change(f, 'manifest-line.proof', b => b.toString().replace('index', 'index ')) }),
  bad('another line', ['manifest'], { kind: 'person', files: f => change(f, 'manifest-line.json', b => b.toString().replace(/"sms":"../, '"sms":"00')) }),
  bad('an opened value that is another', ['opening'], { kind: 'person', files: f => change(f, 'keys.json', b => b.toString().replace('sms of', 'SMS of')) }),
  bad('a message that was not sent, and no key to compare it with', ['opening'], { kind: 'person', files: f => { f.delete('keys.json'); f.set('messages/1.txt', Buffer.from('other words')); } }),
  bad('a message that was not sent', ['opening'], { kind: 'person', files: f => f.set('messages/1.txt', Buffer.from('other words')) }),
];

/** The same events in two generations, parted at leaf 20. */
function twoGenerations(incident) {
  const files = incident.files(), first = incident.leaves.slice(0, 20), origin = `${ORIGIN}/2`, opened = JSON.parse(incident.leaves[0]);
  Object.assign(opened, { id: USERS.preparer, t: JSON.parse(incident.leaves[20]).t });
  Object.assign(opened.d, { origin, generation: 2, from_size: 20, from_root: treeHash(first.map(l => sha256(Buffer.of(0), l))).toString('hex'), reason: 'restored' });
  const second = [Buffer.from(canonical(opened)), ...incident.leaves.slice(20)], put = (n, b) => files.set(n, Buffer.from(b));
  for (const n of [...files.keys()]) if (n.startsWith('tile/')) files.delete(n);
  put('generation/1/checkpoint', incident.checkpoint(20)); logFiles(first, put, 'generation/1/');
  put('checkpoint', KEYS.log.note(origin, `${origin}\n${second.length}\n${treeHash(second.map(l => sha256(Buffer.of(0), l))).toString('base64')}\n`)); logFiles(second, put);
  return files;
}

/** The pack of a case, with the key, older checkpoint and list that the reader holds. */
export function build(c) {
  const incident = new Incident(c.people ?? 6);
  c.events?.(incident);
  incident.seal();
  if (c.dropped) incident.leaves = incident.leaves.filter((_, i) => !incident.events[i].isDropped);
  const older = c.older && !c.olderFirst ? c.older(incident) : null;
  const files = c.kind === 'person' ? incident.personFiles(P[0]) : c.generations ? twoGenerations(incident) : incident.files();
  c.files?.(files, incident);
  const entries = c.entries ? c.entries([...files]) : [...files];
  const bytes = zip(entries, c.lie, c.before), pack = c.bytes ? c.bytes(bytes) : bytes;
  return { pack, key: c.key ?? (c.generations ? KEYS.log.public.toString('hex') : KEYS.log.vkey(ORIGIN)), older: older ?? (c.olderFirst ? c.older(incident) : null), list: c.list?.(incident) ?? null, approvers: c.approvers ?? null, listKeys: c.listKeys ?? null, listName: c.csv ? 'own.csv' : 'own.jsonl', complete: c.complete ?? false };
}
