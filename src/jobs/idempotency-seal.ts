/**
 * Replaces the idempotency key of a forgotten job with keyed hashes (HMAC): one of the key, one of its fingerprint and
 * the caller's hook address. A repeated call still matches the hashes, and they reveal nothing to a reader of the
 * database.
 */
import { createSigner } from '../lib/crypto/signer.ts'
import type { KeySeal } from '../store/job-store.ts'

export interface IdempotencySeal extends KeySeal {
  /** The hash of a key under each of the gateway's secrets. */
  listSealedKeys(tenant: string, key: string): readonly string[]
  isSealedFingerprint(sealed: string, fingerprint: string, hookUrl: string | null): boolean
}

const PREFIX = 'sealed:'

/** @param secrets the first one seals; all recognise. */
export function createIdempotencySeal(secrets: readonly [string, ...string[]]): IdempotencySeal {
  const signers = secrets.map((secret) => createSigner([secret], 'swapface idempotency key'))
  const all = createSigner(secrets, 'swapface idempotency key')
  return {
    sealKey: (tenant, key) => PREFIX + all.sign(keyText(tenant, key)),
    sealFingerprint: (fingerprint, hookUrl) => PREFIX + all.sign(fingerprintText(fingerprint, hookUrl)),
    listSealedKeys: (tenant, key) => signers.map((signer) => PREFIX + signer.sign(keyText(tenant, key))),
    isSealedFingerprint: (sealed, fingerprint, hookUrl) =>
      sealed.startsWith(PREFIX) && all.isSigned(fingerprintText(fingerprint, hookUrl), sealed.slice(PREFIX.length)),
  }
}

function keyText(tenant: string, key: string): string {
  return JSON.stringify(['key', tenant, key])
}

function fingerprintText(fingerprint: string, hookUrl: string | null): string {
  return JSON.stringify(['fingerprint', fingerprint, hookUrl])
}
