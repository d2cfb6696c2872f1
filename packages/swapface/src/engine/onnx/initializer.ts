/**
 * Reads the last initializer of an ONNX file, which the runtime does not expose: InsightFace stores there the matrix
 * that converts an embedding to the swap network's source. The file is a protobuf of half a gigabyte, so it is walked
 * field by field, and only this tensor is read. Every length is checked against its enclosing field, and the number of
 * fields is limited: a damaged file yields null, never a large allocation or an endless loop.
 */

/** Reads `length` bytes of a file from `at` on; fewer at its end. */
export type ReadBytes = (at: number, length: number) => Promise<Uint8Array>

interface Field {
  readonly number: number
  readonly isNested: boolean
  /** The value of a varint field. */
  readonly value: number
  /** Position of the field's contents. */
  readonly at: number
  readonly length: number
}

const MAX_FIELDS = 100_000
// A tag and a length, at most ten bytes each.
const HEADER_BYTES = 20

// Field numbers of onnx.proto: ModelProto.graph, GraphProto.initializer, and TensorProto's fields.
const GRAPH = 7
const INITIALIZER = 5
const TENSOR = { dims: 1, dataType: 2, floatData: 4, rawData: 9 } as const
const FLOAT = 1

/** @returns the floats of the last initializer; null if it has another shape, or the file is not an ONNX model. */
export async function readLastInitializer(
  read: ReadBytes,
  fileSize: number,
  shape: readonly number[],
): Promise<Float32Array | null> {
  const budget = { fields: MAX_FIELDS }
  const model = await listFields(read, 0, fileSize, budget)
  const graph = model?.findLast((field) => field.number === GRAPH && field.isNested)
  if (graph === undefined) return null
  const fields = await listFields(read, graph.at, graph.at + graph.length, budget)
  const last = fields?.findLast((field) => field.number === INITIALIZER && field.isNested)
  if (last === undefined) return null
  const tensor = await listFields(read, last.at, last.at + last.length, budget)
  if (tensor === null) return null
  const dims: number[] = []
  for (const { number, isNested, value, at, length } of tensor) {
    if (number !== TENSOR.dims) continue
    if (isNested) dims.push(...toVarints(await read(at, Math.min(length, 10 * (shape.length + 1)))))
    else dims.push(value)
  }
  const type = tensor.find((field) => field.number === TENSOR.dataType)?.value
  const bytes = 4 * shape.reduce((product, side) => product * side, 1)
  // Packed floats have the same layout as raw data.
  const data = tensor.find(
    ({ number, isNested, length }) =>
      (number === TENSOR.rawData || number === TENSOR.floatData) && isNested && length === bytes,
  )
  if (type !== FLOAT || data === undefined || dims.join() !== shape.join()) return null
  const found = await read(data.at, bytes)
  return found.length === bytes ? new Float32Array(new Uint8Array(found).buffer) : null
}

/** Lists the fields between two positions, without nested ones; null if they do not fit or are invalid. */
async function listFields(
  read: ReadBytes,
  from: number,
  end: number,
  budget: { fields: number },
): Promise<Field[] | null> {
  const fields: Field[] = []
  let at = from
  while (at < end) {
    if (budget.fields-- === 0) return null
    const header = await read(at, Math.min(HEADER_BYTES, end - at))
    const tag = toVarint(header, 0)
    if (tag === null) return null
    const number = Math.floor(tag.value / 8)
    const wire = tag.value % 8
    let length = wire === 1 ? 8 : 4
    let start = at + tag.next
    let value = 0
    if (wire === 0 || wire === 2) {
      const varint = toVarint(header, tag.next)
      if (varint === null) return null
      start = at + varint.next
      value = varint.value
      length = wire === 2 ? value : 0
    } else if (wire !== 1 && wire !== 5) return null
    if (start + length > end) return null
    fields.push({ number, isNested: wire === 2, value, at: start, length })
    at = start + length
  }
  return fields
}

function toVarints(bytes: Uint8Array): number[] {
  const values: number[] = []
  for (let at = 0; at < bytes.length;) {
    const varint = toVarint(bytes, at)
    if (varint === null) break
    values.push(varint.value)
    at = varint.next
  }
  return values
}

/** Parses a varint; null if it is cut short. Inexact beyond 2 ** 53, which no length or dimension in use reaches. */
function toVarint(bytes: Uint8Array, from: number): { readonly value: number; readonly next: number } | null {
  let value = 0
  let factor = 1
  for (let at = from; at < from + 10; at++) {
    const byte = bytes[at]
    if (byte === undefined) return null
    value += (byte % 128) * factor
    if (byte < 128) return { value, next: at + 1 }
    factor *= 128
  }
  return null
}
