/**
 * Work that comes in bursts, a little in each turn of the event loop, in the order it came: timers and everybody
 * else's messages have their turn in between.
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
