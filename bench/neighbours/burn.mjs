/** One thread of the burner: busy for its share of each period. */
import { setTimeout as delay } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'

const { shared, n, periodMs } = workerData
for (;;) {
  const busyMs = (Atomics.load(shared, n) / 1_000) * periodMs
  const until = performance.now() + busyMs
  while (performance.now() < until);
  // A thread that never sleeps would not receive the stop message.
  if (periodMs - busyMs >= 1) await delay(periodMs - busyMs)
}
