/** Argument checks shared by all blob stores. */
import type { ByteRange } from './blob-store.ts'

const MAX_KEY_CHARS = 200

/** Whether a text is a valid key: its characters, its length, and no empty, `.` or `..` segment. */
export function isKey(text: string): boolean {
  if (text.length > MAX_KEY_CHARS || !/^[a-z0-9_\-/.]+$/.test(text)) return false
  return text.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

/** @throws {TypeError} if the text is not a valid key. */
export function checkKey(text: string): void {
  if (!isKey(text))
    throw new TypeError('a blob key must have only the characters a-z0-9_-/. and no empty, "." or ".." segment')
}

/** @throws {TypeError} if the range does not lie within a blob of this length. */
export function checkRange({ start, end }: ByteRange, byteLength: number): void {
  const isWithin = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end < byteLength
  if (!isWithin) throw new TypeError('a byte range must lie within its blob')
}
