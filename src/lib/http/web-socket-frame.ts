const TEXT_AND_FIN = 0x81
/** Markers for a length of 2 and of 8 bytes in a frame's head (RFC 6455, 5.2). */
const TWO_BYTES = 126
const EIGHT_BYTES = 127

/**
 * Encodes `prefix`, `body` and `suffix` as one unmasked text frame, as servers send it. A body for many subscribers is
 * encoded once and copied into each frame. `prefix` and `suffix` are ASCII.
 */
export function encodeTextFrame(prefix: string, body: Buffer, suffix: string): Buffer {
  const length = prefix.length + body.length + suffix.length
  const headLength = length < TWO_BYTES ? 2 : length <= 0xffff ? 4 : 10
  const frame = Buffer.allocUnsafe(headLength + length)
  frame[0] = TEXT_AND_FIN
  if (headLength === 2) frame[1] = length
  else if (headLength === 4) {
    frame[1] = TWO_BYTES
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = EIGHT_BYTES
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  let at = headLength + frame.write(prefix, headLength, 'latin1')
  at += body.copy(frame, at)
  frame.write(suffix, at, 'latin1')
  return frame
}

/** JSON of a text, in ASCII only, as `encodeTextFrame` requires. */
export function toAsciiJson(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
