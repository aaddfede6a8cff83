// Vectors that neither the page nor its tests computed: C2SP notes and trees by golang.org/x/mod, SHA-2 and HMAC from the
// standards, Ed25519 from RFC 8032. Each is an expression that must be `true` on the page.

import { readFileSync } from 'node:fs';

const CHECKPOINTS = {
  3: 'duly.test/log\n3\nAKcKsZUbOSDpO7cxOBdBlx0JYMGuQc5ky21fozC//MY=\n\n\u2014 duly.test/log OOhfDQFwTpToTC8ZJyisZjr56yhU/+mq0kJcgguefkT4dr3qSYdBgyCKL/Q4KvJwzEWWwYoTGvR+lOdPn+iE0r9dngk=\n',
  7: 'duly.test/log\n7\n6cbV7VEnsBt5QB48I9xhI2QC+/96slqu34GAhl2pSs0=\n\n\u2014 duly.test/log OOhfDfZAwiRQNu0WYeA4lxv8D3CnurPiaLg9Cp7Vp04yZAVxv6lAx/HFyo4wee9uVXqPC8gxeNeiWD013YtCHrwsqgQ=\n',
};
const VKEY = 'duly.test/log+38e85f0d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4';
const ROOTS = { 1: '2Cnt0HE6G7BePNBhaSSkxb3iHjblNxSaICOe2vqIJfE=', 2: 'jXl7tY1h9ngEf9+So5ARexbYcYuVcwOpIxo2z24MX3U=', 3: 'AKcKsZUbOSDpO7cxOBdBlx0JYMGuQc5ky21fozC//MY=', 7: '6cbV7VEnsBt5QB48I9xhI2QC+/96slqu34GAhl2pSs0=', 0: '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' };
const INCLUSION = ['zWPy0SLaWx8aqkQ8Thh+Iy6cZFHUz63vxuK1X4fjeQs=', 'Ig7PSzxT7zMuOnplhEQ7JNFb0NBYq+Xm3nUg37v4ihg=', 'hkH548xF2RdwxU4+XUd9PO7ztp8GA8EgsuKSk2RIBtU='];
const RFC8032 = ['fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025', 'af82', '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'];

/** By openssl, over `a checkpoint` and a line feed. */
const STAMP = readFileSync(new URL('../../crates/ledger/tests/stamp.tsr', import.meta.url)).toString('hex');

const on = body => `(async () => { const t = window.dulySelfTest, same = (a, b) => t.hex(a) === t.hex(b); ${body} })()`;
const j = JSON.stringify;
export const VECTORS = [
  ...Object.entries(ROOTS).map(([n, root]) => [`the root of ${n} leaves`, on(`const tree = new t.Tree(); for (let i = 0; i < ${n}; i++) tree.push(t.leafHash(t.utf8('{"i":' + i + '}'))); return same(tree.root(), t.unbase64(${j(root)}));`)]),
  ...Object.entries(CHECKPOINTS).flatMap(([n, note]) => [
    [`the checkpoint of size ${n}`, on(`const c = t.parseCheckpoint(t.utf8(${j(note)})); await t.startCrypto(); return c.size === ${n} && await t.signatureProblem(c, t.parseKeys(${j(VKEY)}).keys) === null;`)],
    [`the checkpoint of size ${n}, changed`, on(`const c = t.parseCheckpoint(t.utf8(${j(note.replace(`\n${n}\n`, '\n8\n'))})); return typeof await t.signatureProblem(c, t.parseKeys(${j(VKEY)}).keys) === 'string';`)],
  ]),
  ['the inclusion of leaf 4 among 7', on(`return same(t.rootFromProof(t.leafHash(t.utf8('{"i":4}')), 4, 7, ${j(INCLUSION)}.map(t.unbase64)), t.unbase64(${j(ROOTS[7])}));`)],
  ['no inclusion of leaf 4 at place 5', on(`return !same(t.rootFromProof(t.leafHash(t.utf8('{"i":4}')), 5, 7, ${j(INCLUSION)}.map(t.unbase64)) ?? [], t.unbase64(${j(ROOTS[7])}));`)],
  ['Ed25519 of RFC 8032', on(`const [k, m, s] = ${j(RFC8032)}.map(t.unhex); const wrong = s.slice(); wrong[0] ^= 1; return t.ed25519(k, m, s) && !t.ed25519(k, m, wrong);`)],
  ['Ed25519 refuses a key of small order', on(`const s = new Uint8Array(64); s[0] = 1; const k = new Uint8Array(32); k[0] = 1; return !t.ed25519(k, new Uint8Array(), s);`)],
  ['SHA-512 of abc', on(`return t.hex(t.sha512(t.utf8('abc'))) === 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f';`)],
  ['HMAC-SHA-256 of RFC 4231', on(`return t.hex(t.hmac256(t.utf8('Jefe'), t.utf8('what do ya want for nothing?'))) === '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';`)],
  ['SHA-256 at every length near a block agrees with the browser', on(`for (let n = 0; n < 300; n++) { const b = Uint8Array.from({ length: n }, (_, i) => i * 7); if (!same(t.sha256(b), new Uint8Array(await crypto.subtle.digest('SHA-256', b)))) return false; } return true;`)],
  ['the browser has Ed25519 of its own, and it was asked', on('await t.startCrypto(); return t.native.sha && t.native.ed25519;')],
  ['a time stamp by openssl, and none that is cut or lengthened', on(`const s = t.unhex(${j(STAMP)}), of = t.sha256(t.utf8('a checkpoint\\n')); for (let n = 0; n < s.length; n++) if (t.timeOfStamp(s.subarray(0, n), of) !== null) return false; const more = new Uint8Array(s.length + 1); more.set(s); return t.timeOfStamp(more, of) === null && t.timeOfStamp(s, t.sha256(s)) === null && t.timeOfStamp(s, of) === '2026-11-26T21:25:00Z';`)],
  ['tile names', on("return t.tileName(0) === '000' && t.tileName(1234067) === 'x001/x234/067' && t.tileName(1000) === 'x001/000';")],
];
