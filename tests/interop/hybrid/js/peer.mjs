// A Noise peer with the modifier hfs, written from the texts: noiseprotocol.org/noise.html revision 34 and
// noise_hfs_spec revision 1. Arguments and what it says are those of ../../noise/README.md.
import { readSync, writeSync } from 'node:fs';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { gcm } from '@noble/ciphers/aes.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { blake2b, blake2s } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';

const HASHES = { SHA256: sha256, SHA512: sha512, BLAKE2s: (x) => blake2s(x), BLAKE2b: (x) => blake2b(x, { dkLen: 64 }) };
const HMAC_HASHES = { SHA256: sha256, SHA512: sha512, BLAKE2s: blake2s, BLAKE2b: blake2b };
const AEADS = { ChaChaPoly: chacha20poly1305, AESGCM: gcm };
const PUBLIC_KEY = 32, KEM_KEY = 1184, KEM_CIPHERTEXT = 1088, TAG = 16;

// [pre-message of the initiator, of the responder], messages. Tables of section 7, then e1 and ekem1 put in by hand as
// noise_hfs_spec says: e1 behind e, or behind the first DH of that message; ekem1 behind the first ee.
const PATTERNS = {
  NNhfs: [['', ''], ['e e1', 'e ee ekem1']],
  XXhfs: [['', ''], ['e e1', 'e ee ekem1 s es', 's se']],
  XKhfs: [['', 's'], ['e es e1', 'e ee ekem1', 's se']],
  IKhfs: [['', 's'], ['e es e1 s ss', 'e ee ekem1 se']],
  KKhfs: [['s', 's'], ['e es e1 ss', 'e ee ekem1 se']],
};

const concat = (...parts) => Uint8Array.from(Buffer.concat(parts));
const utf8 = (text) => new TextEncoder().encode(text);
const fromHex = (text) => Uint8Array.from(Buffer.from(text, 'hex'));

function stop(why) {
  process.stderr.write(`peer.mjs: ${why}\n`);
  process.exit(1);
}

class CipherState {
  constructor(aead, littleEndian, key) {
    Object.assign(this, { aead, littleEndian, key, n: 0n });
  }
  nonce(n) {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setBigUint64(4, n, this.littleEndian);
    return nonce;
  }
  encrypt(ad, plain) {
    return this.aead(this.key, this.nonce(this.n++), ad).encrypt(plain);
  }
  decrypt(ad, sealed) {
    const plain = this.aead(this.key, this.nonce(this.n), ad).decrypt(sealed);
    this.n++;
    return plain;
  }
  rekey() {
    const last = this.nonce(2n ** 64n - 1n);
    this.key = this.aead(this.key, last, new Uint8Array(0)).encrypt(new Uint8Array(32)).slice(0, 32);
  }
}

class SymmetricState {
  constructor(name, cipher, hash) {
    this.cipherName = cipher;
    this.hash = HASHES[hash];
    this.hmac = (key, data) => hmac(HMAC_HASHES[hash], key, data);
    const raw = utf8(name), size = this.hash(new Uint8Array(0)).length;
    this.h = raw.length <= size ? concat(raw, new Uint8Array(size - raw.length)) : this.hash(raw);
    this.ck = this.h;
    this.cipher = null;
  }
  hkdf(input, outputs) {
    const temporary = this.hmac(this.ck, input);
    const all = [];
    for (let i = 1; i <= outputs; i++) {
      all.push(this.hmac(temporary, concat(all[i - 2] ?? new Uint8Array(0), Uint8Array.of(i))));
    }
    return all;
  }
  newCipher(key) {
    return new CipherState(AEADS[this.cipherName], this.cipherName === 'ChaChaPoly', key.slice(0, 32));
  }
  mixKey(input) {
    const [ck, key] = this.hkdf(input, 2);
    this.ck = ck;
    this.cipher = this.newCipher(key);
  }
  mixHash(data) {
    this.h = this.hash(concat(this.h, data));
  }
  encryptAndHash(plain) {
    const sealed = this.cipher ? this.cipher.encrypt(this.h, plain) : plain;
    this.mixHash(sealed);
    return sealed;
  }
  decryptAndHash(sealed) {
    const plain = this.cipher ? this.cipher.decrypt(this.h, sealed) : sealed;
    this.mixHash(sealed);
    return plain;
  }
  split() {
    return this.hkdf(new Uint8Array(0), 2).map((key) => this.newCipher(key));
  }
}

class Handshake {
  constructor(name, initiator, prologue, s, rs) {
    const [, pattern, dh, cipher, hash] = name.split('_');
    if (dh !== '25519+MLKEM768') stop(`no such algorithm: ${dh}`);
    const [pre, messages] = PATTERNS[pattern];
    Object.assign(this, { initiator, s, rs, messages: messages.map((m) => m.split(' ')) });
    this.symmetric = new SymmetricState(name, cipher, hash);
    this.symmetric.mixHash(prologue);
    if (pre[0]) this.symmetric.mixHash(initiator ? s.publicKey : rs);
    if (pre[1]) this.symmetric.mixHash(initiator ? rs : s.publicKey);
  }
  dh(token) {
    // The first letter is the initiator's key, the second the responder's.
    const mine = token[this.initiator ? 0 : 1], theirs = token[this.initiator ? 1 : 0];
    const secret = x25519.getSharedSecret((mine === 'e' ? this.e : this.s).secretKey, theirs === 'e' ? this.re : this.rs);
    this.symmetric.mixKey(secret);
  }
  write(tokens, payload) {
    const parts = [];
    for (const token of tokens) {
      if (token === 'e') {
        this.e = x25519.keygen();
        parts.push(this.e.publicKey);
        this.symmetric.mixHash(this.e.publicKey);
      } else if (token === 's') {
        parts.push(this.symmetric.encryptAndHash(this.s.publicKey));
      } else if (token === 'e1') {
        this.kem = ml_kem768.keygen();
        parts.push(this.symmetric.encryptAndHash(this.kem.publicKey));
      } else if (token === 'ekem1') {
        const { cipherText, sharedSecret } = ml_kem768.encapsulate(this.re1);
        parts.push(this.symmetric.encryptAndHash(cipherText));
        this.symmetric.mixKey(sharedSecret);
      } else {
        this.dh(token);
      }
    }
    parts.push(this.symmetric.encryptAndHash(payload));
    return concat(...parts);
  }
  read(tokens, message) {
    let at = 0;
    const take = (size) => message.slice(at, (at += size));
    const sealed = (size) => this.symmetric.decryptAndHash(take(size + (this.symmetric.cipher ? TAG : 0)));
    for (const token of tokens) {
      if (token === 'e') {
        this.re = take(PUBLIC_KEY);
        this.symmetric.mixHash(this.re);
      } else if (token === 's') {
        this.rs = sealed(PUBLIC_KEY);
      } else if (token === 'e1') {
        this.re1 = sealed(KEM_KEY);
      } else if (token === 'ekem1') {
        this.symmetric.mixKey(ml_kem768.decapsulate(sealed(KEM_CIPHERTEXT), this.kem.secretKey));
      } else {
        this.dh(token);
      }
    }
    return this.symmetric.decryptAndHash(message.slice(at));
  }
}

function send(message) {
  const frame = concat(Uint8Array.of(message.length >> 8, message.length & 255), message);
  for (let at = 0; at < frame.length;) at += writeSync(1, frame, at);
}

function readExactly(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const got = readSync(0, bytes, at, size - at);
    if (got === 0) stop('the other side hung up');
    at += got;
  }
  return bytes;
}

function receive() {
  const [high, low] = readExactly(2);
  return readExactly(high << 8 | low);
}

function expect(actual, expected, what) {
  if (Buffer.compare(actual, expected) !== 0) stop(`wrong ${what}`);
}

function exchange(initiator, out, back) {
  for (const round of [0, 1]) {
    if (round === 1) {
      out.rekey();
      back.rekey();
    }
    for (const size of [0, 1, 100, 16384, 65519]) {
      const plain = Uint8Array.from({ length: size }, (_, j) => (j + size) & 255);
      const none = new Uint8Array(0);
      if (initiator) {
        send(out.encrypt(none, plain));
        expect(back.decrypt(none, receive()), plain, 'transport message');
      } else {
        expect(back.decrypt(none, receive()), plain, 'transport message');
        send(out.encrypt(none, plain));
      }
    }
  }
}

function main([role, name, prologue, secret, remote]) {
  const initiator = role === 'initiator';
  const secretKey = fromHex(secret);
  const s = { secretKey, publicKey: x25519.getPublicKey(secretKey) };
  const handshake = new Handshake(name, initiator, fromHex(prologue), s, remote === '-' ? undefined : fromHex(remote));
  handshake.messages.forEach((tokens, i) => {
    const payload = utf8(`handshake payload ${i}`);
    if ((i % 2 === 0) === initiator) send(handshake.write(tokens, payload));
    else expect(handshake.read(tokens, receive()), payload, 'handshake payload');
  });
  const [forth, back] = handshake.symmetric.split();
  exchange(initiator, initiator ? forth : back, initiator ? back : forth);
  process.stderr.write(`done ${Buffer.from(handshake.symmetric.h).toString('hex')}\n`);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  stop(error.message);
}
