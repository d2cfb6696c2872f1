/**
 * Queue that spreads bursts of work: runs at most `perTick` pieces per turn of the event loop, first in, first out, so
 * that timers and other messages are served in between.
 */
export function createTickQueue(perTick: number): (act: () => void) => void {
  const waiting: (() => void)[] = []
  const work = () => {
    for (const act of waiting.splice(0, perTick)) act()
    if (waiting.length > 0) setImmediate(work)
  }
  return (act) => {
    if (waiting.push(act) === 1) setImmediate(work)
  }
}
