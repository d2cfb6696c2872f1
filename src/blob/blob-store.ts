/**
 * Stores the bytes of images, under keys that the gateway creates (`a-z0-9_-/.`, at most 200 characters). A blob exists
 * whole or not at all, and never changes: other content has another key.
 */
import type { Readable } from 'node:stream'

/** Bytes from `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface OpenBlob {
  /** Of the whole blob, even if a range was requested. */
  readonly byteLength: number
  /** The caller must read it to its end or destroy it. */
  readonly stream: Readable
}

export interface StoredBlob {
  readonly key: string
  /** When it was stored, epoch milliseconds. */
  readonly at: number
  readonly byteLength: number
}

export interface BlobStore {
  /** Durable when it resolves. A key may be stored again, with the same bytes. */
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>
  /** Null if the blob does not exist. A range must lie within the blob. */
  open(key: string, range?: ByteRange): Promise<OpenBlob | null>
  /** Does nothing if the blob does not exist. */
  delete(key: string): Promise<void>
  /** Lists blobs in key order, after the key `after`; null starts at the first. */
  list(after: string | null, limit: number): Promise<readonly StoredBlob[]>
  /** Bytes that can still be stored; null if the store does not report it. */
  freeBytes(): Promise<number | null>
  /** Removes partial writes that a crash left more than an hour ago. */
  sweep(): Promise<void>
}
