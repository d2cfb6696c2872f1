/** Judges the samples of a soak: whether memory grows, whether handles stay flat, and whether the load was reached. */
import { toRow } from '../http/table.ts'
import type { Sample } from './scrape.ts'

export interface Verdict {
  readonly what: string
  readonly measured: string
  readonly target: string
  readonly holds: boolean
}

export interface Soak {
  /** Without clients: before the load, and after it. */
  readonly before: Sample
  readonly after: Sample
  readonly samples: readonly Sample[]
  readonly changesPerSecond: number
}

const MEBIBYTE = 1_048_576
const SLOPE_SECONDS = 600
const MAX_SLOPE = 0.01
const MAX_WARM_UP_SECONDS = 600
/** Handles and sockets change with the number of running swaps. */
const FLAT_WITHIN = { share: 0.1, count: 10 }
/** Connections that both sides keep for the next call: the gateway to the upstream, and the upstream for its hooks. */
const IDLE_WITHIN = 140
const LOAD_SHARE = 0.95

export const SAMPLE_TITLES = [
  'minutes',
  'changes/s',
  'resident MiB',
  'heap MiB',
  'handles',
  'file descriptors',
  'sockets',
  'subscriptions',
]

/** @param last the sample before, for the rate of changes. */
export function toSampleRow(sample: Sample, last: Sample): string {
  const seconds = Math.max(1, sample.seconds - last.seconds)
  return toRow([
    (sample.seconds / 60).toFixed(1),
    ((sample.changes - last.changes) / seconds).toFixed(0),
    (sample.resident / MEBIBYTE).toFixed(1),
    (sample.heap / MEBIBYTE).toFixed(1),
    String(sample.handles),
    String(sample.fileDescriptors),
    String(sample.sockets),
    String(sample.subscriptions),
  ])
}

export function judge({ before, after, samples, changesPerSecond }: Soak): readonly Verdict[] {
  const lastSeconds = samples.at(-1)?.seconds ?? 0
  const warmUpSeconds = Math.min(MAX_WARM_UP_SECONDS, lastSeconds / 3)
  const warm = samples.filter(({ seconds }) => seconds > warmUpSeconds)
  const [first, last] = [warm[0] ?? before, warm.at(-1) ?? before]
  const rate = (last.changes - first.changes) / Math.max(1, last.seconds - first.seconds)
  return [
    judgeSlope('resident memory', warm, ({ resident }) => resident),
    judgeSlope('heap', warm, ({ heap }) => heap),
    judgeFlat('handles', warm, ({ handles }) => handles),
    judgeFlat('file descriptors', warm, ({ fileDescriptors }) => fileDescriptors),
    {
      what: 'file descriptors after all clients have left, compared with before',
      measured: `${after.fileDescriptors - before.fileDescriptors}`,
      target: `at most ${IDLE_WITHIN}`,
      holds: after.fileDescriptors - before.fileDescriptors <= IDLE_WITHIN,
    },
    {
      what: 'changes a second',
      measured: rate.toFixed(0),
      target: `${LOAD_SHARE * 100} % of ${changesPerSecond}`,
      holds: rate >= LOAD_SHARE * changesPerSecond,
    },
  ]
}

function judgeSlope(what: string, samples: readonly Sample[], valueOf: (sample: Sample) => number): Verdict {
  const values = samples.map(valueOf)
  const share =
    (slope(
      samples.map(({ seconds }) => seconds),
      values,
    ) *
      SLOPE_SECONDS) /
    mean(values)
  return {
    what: `${what}: growth in 10 minutes`,
    measured: `${(share * 100).toFixed(2)} %`,
    target: `below ${MAX_SLOPE * 100} %`,
    holds: share < MAX_SLOPE,
  }
}

/** Compares the last quarter of the samples with the first. */
function judgeFlat(what: string, samples: readonly Sample[], valueOf: (sample: Sample) => number): Verdict {
  const quarter = Math.max(1, Math.floor(samples.length / 4))
  const early = mean(samples.slice(0, quarter).map(valueOf))
  const late = mean(samples.slice(-quarter).map(valueOf))
  const allowed = Math.max(FLAT_WITHIN.count, early * FLAT_WITHIN.share)
  return {
    what: `${what}: first and last quarter`,
    measured: `${early.toFixed(0)}, ${late.toFixed(0)}`,
    target: `grows by at most ${allowed.toFixed(0)}`,
    holds: late - early <= allowed,
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length
}

/** Least squares. */
function slope(xs: readonly number[], ys: readonly number[]): number {
  const [middleX, middleY] = [mean(xs), mean(ys)]
  const covariance = mean(xs.map((x, n) => (x - middleX) * ((ys[n] ?? 0) - middleY)))
  return covariance / mean(xs.map((x) => (x - middleX) ** 2))
}
