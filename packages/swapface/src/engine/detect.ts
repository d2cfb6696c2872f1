/**
 * Finds faces of any size and rotation in the picture plane. The detector takes 256 x 256 pixels, so it runs on several
 * views: the whole picture; a wider view, for close-ups; rotations by 90°; and, if the faces are small, overlapping
 * tiles. Detections of the same face are merged; the most confident one wins.
 */
import { DETECTOR_SIZE, type DetectorOutput, type FaceModels } from './models.ts'
import { sampleGrid, toSquareGrid, type Pyramid } from './pyramid.ts'

/** A detection: a square in picture coordinates. */
export interface DetectedFace {
  readonly x: number
  readonly y: number
  readonly size: number
  /** Rotation of the eye line, clockwise, in radians; 0 is upright. */
  readonly roll: number
  readonly score: number
  /** Found in a tile or a rotated view. These have more false positives, so the mesh needs a higher confidence. */
  readonly doubtful: boolean
}

interface View {
  readonly x: number
  readonly y: number
  readonly size: number
  readonly angle: number
}

const MIN_SCORE = 0.5
const MIN_DOUBTFUL_SCORE = 0.6
// Strips of extreme proportions would need thousands of tiles.
const MAX_TILES = 40

/** Returns the faces of a picture, largest first. A face may still be upside down; see `uprightFace`. */
export function detectFaces(models: FaceModels, pyramid: Pyramid): DetectedFace[] {
  const { width, height } = pyramid
  const long = Math.max(width, height)
  const short = Math.min(width, height)
  const whole: View = { x: width / 2, y: height / 2, size: long, angle: 0 }
  let faces = joinFaces([
    ...detectInView(models, pyramid, whole, false),
    ...detectInView(models, pyramid, { ...whole, size: long * 1.6 }, false),
  ])
  if (faces.every((face) => face.score < 0.75)) {
    const turned = [Math.PI, Math.PI / 2, -Math.PI / 2].flatMap((angle) =>
      detectInView(models, pyramid, { ...whole, angle }, true),
    )
    faces = joinFaces([...faces, ...turned])
  }
  for (const divisor of [2, 4]) {
    if (faces.some((face) => face.size >= long * 0.12)) break
    const views = listTiles(width, height, (1.3 * short) / divisor)
    faces = joinFaces([...faces, ...views.flatMap((view) => detectInView(models, pyramid, view, true))])
  }
  return faces.toSorted((a, b) => b.size - a.size)
}

/**
 * Corrects the rotation of a face. The detector often reads the eye line of an upside-down face the wrong way round,
 * and the mesh then fits with full confidence. The detector is more confident if the face is upright, so this tries
 * four rotations, and detects once more at the best one to refine the eye line.
 */
export function uprightFace(models: FaceModels, pyramid: Pyramid, face: DetectedFace): DetectedFace {
  if (Math.abs(face.roll) < Math.PI / 3 && face.score > 0.85 && !face.doubtful) return face
  const turns = [0, Math.PI / 2, Math.PI, -Math.PI / 2].map((turn) =>
    detectAgain(models, pyramid, face, face.roll + turn),
  )
  const best = turns.reduce((a, b) => (b.score > a.score ? b : a))
  const exact = detectAgain(models, pyramid, best, best.roll)
  const chosen = exact.score > 0 ? exact : best.score > 0 ? best : face
  return { ...chosen, score: Math.max(chosen.score, face.score), doubtful: face.doubtful }
}

/** Detects the same face again, close up and rotated by `angle`; its score is 0 if it is not found. */
function detectAgain(models: FaceModels, pyramid: Pyramid, face: DetectedFace, angle: number): DetectedFace {
  const seen = detectInView(models, pyramid, { x: face.x, y: face.y, size: face.size * 2, angle }, false)
  return seen.find((one) => overlap(one, face) > 0.2) ?? { ...face, score: 0 }
}

function listTiles(width: number, height: number, size: number): View[] {
  const columns = Math.max(1, Math.ceil((width - size) / (size * 0.7)) + 1)
  const rows = Math.max(1, Math.ceil((height - size) / (size * 0.7)) + 1)
  if (columns * rows > MAX_TILES) return []
  const stepX = columns > 1 ? (width - size) / (columns - 1) : 0
  const stepY = rows > 1 ? (height - size) / (rows - 1) : 0
  return Array.from({ length: columns * rows }, (_, index) => ({
    x: size / 2 + (index % columns) * stepX,
    y: size / 2 + Math.floor(index / columns) * stepY,
    size,
    angle: 0,
  }))
}

function detectInView(models: FaceModels, pyramid: Pyramid, view: View, doubtful: boolean): DetectedFace[] {
  const grid = toSquareGrid(view.x, view.y, view.size, view.angle, DETECTOR_SIZE)
  sampleGrid(pyramid, grid, DETECTOR_SIZE, DETECTOR_SIZE, models.detectorInput, 1 / 127.5, -1, true)
  const found = decodeDetections(models.runDetector(), doubtful ? MIN_DOUBTFUL_SCORE : MIN_SCORE)
  const scale = view.size / DETECTOR_SIZE
  const cos = Math.cos(view.angle) * scale
  const sin = Math.sin(view.angle) * scale
  const half = DETECTOR_SIZE / 2
  return joinFaces(
    found.map((face) => ({
      x: view.x + (face.x - half) * cos - (face.y - half) * sin,
      y: view.y + (face.x - half) * sin + (face.y - half) * cos,
      size: face.size * scale,
      roll: wrapAngle(face.roll + view.angle),
      score: face.score,
      doubtful,
    })),
  )
}

/** Converts the raw outputs to squares in pixels of the detector's input. */
export function decodeDetections(output: DetectorOutput, minScore: number): Omit<DetectedFace, 'doubtful'>[] {
  const { logits, regressions } = output
  const minLogit = Math.log(minScore / (1 - minScore))
  const faces = []
  for (let anchor = 0; anchor < logits.length; anchor++) {
    const logit = logits[anchor] ?? 0
    if (logit < minLogit) continue
    const centre = getAnchor(anchor)
    const at = (index: number): number => regressions[anchor * 16 + index] ?? 0
    faces.push({
      x: at(0) + centre.x,
      y: at(1) + centre.y,
      size: Math.max(at(2), at(3)),
      // Points 0 and 1 are the eyes, the left one in the picture first.
      roll: Math.atan2(at(7) - at(5), at(6) - at(4)),
      score: 1 / (1 + Math.exp(-logit)),
    })
  }
  return faces
}

/** The grid has 16 x 16 cells with two anchors each, then 8 x 8 cells with six. */
function getAnchor(anchor: number): { x: number; y: number } {
  const [stride, cell] = anchor < 512 ? [16, anchor >> 1] : [32, Math.floor((anchor - 512) / 6)]
  const columns = DETECTOR_SIZE / stride
  return { x: ((cell % columns) + 0.5) * stride, y: (Math.floor(cell / columns) + 0.5) * stride }
}

/** Merges detections of the same face, weighted by score, as the network was trained for; most confident first. */
export function joinFaces(faces: readonly DetectedFace[]): DetectedFace[] {
  const waiting = faces.toSorted((a, b) => Number(a.doubtful) - Number(b.doubtful) || b.score - a.score)
  const joined: DetectedFace[] = []
  for (let best = waiting.shift(); best !== undefined; best = waiting.shift()) {
    const first = best
    const same = waiting.filter((face) => isSameFace(first, face))
    const alike = same.filter(
      (face) => face.doubtful === first.doubtful && Math.abs(wrapAngle(face.roll - first.roll)) < 0.5,
    )
    const weight = alike.reduce((sum, face) => sum + face.score, first.score)
    const mean = (pick: (face: DetectedFace) => number): number =>
      alike.reduce((sum, face) => sum + pick(face) * face.score, pick(first) * first.score) / weight
    joined.push({
      ...first,
      x: mean((face) => face.x),
      y: mean((face) => face.y),
      size: mean((face) => face.size),
      roll: first.roll + mean((face) => wrapAngle(face.roll - first.roll)),
    })
    for (const face of same) waiting.splice(waiting.indexOf(face), 1)
  }
  return joined
}

function isSameFace(a: DetectedFace, b: DetectedFace): boolean {
  const shared = sharedArea(a, b)
  return overlap(a, b) > 0.3 || shared > 0.7 * Math.min(a.size, b.size) ** 2
}

function overlap(a: DetectedFace, b: DetectedFace): number {
  const shared = sharedArea(a, b)
  return shared / (a.size ** 2 + b.size ** 2 - shared)
}

function sharedArea(a: DetectedFace, b: DetectedFace): number {
  const reach = (a.size + b.size) / 2
  const smaller = Math.min(a.size, b.size)
  const width = Math.min(smaller, Math.max(0, reach - Math.abs(a.x - b.x)))
  const height = Math.min(smaller, Math.max(0, reach - Math.abs(a.y - b.y)))
  return width * height
}

export function wrapAngle(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI))
}
