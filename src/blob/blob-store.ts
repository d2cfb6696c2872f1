/**
 * Where the bytes of images are kept, under keys that we make (`a-z0-9_-/.`, no more than 200 characters). A blob is
 * there whole or not at all, and never changes: another content has another key.
 */
import type { Readable } from 'node:stream'

/** Bytes from `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface OpenBlob {
  /** Of the whole blob, also where a range was asked for. */
  readonly byteLength: number
  /** To be read to its end or destroyed. */
  readonly stream: Readable
}

export interface StoredBlob {
  readonly key: string
  /** When it was put, epoch milliseconds. */
  readonly at: number
  readonly byteLength: number
}

export interface BlobStore {
  /** Kept when it resolves, through a crash as well. The same key twice: the same blob. */
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>
  /** Null where there is none. A range must lie within the blob. */
  open(key: string, range?: ByteRange): Promise<OpenBlob | null>
  /** One that is not there is deleted already. */
  delete(key: string): Promise<void>
  /** Blobs in the order of their keys, those after `after` (null: from the first). */
  list(after: string | null, limit: number): Promise<readonly StoredBlob[]>
  /** Bytes that can still be put; null where the store does not say. */
  freeBytes(): Promise<number | null>
  /** Removes what a crash left half-written, older than an hour. */
  sweep(): Promise<void>
}
