/** Loaded into a measured process: collects garbage when it is asked to, so that memory is what is held. */
process.on('message', (message) => {
  if (typeof message !== 'object' || message === null || !('collect' in message)) return
  for (let n = 0; n < 3; n += 1) globalThis.gc?.()
  process.send?.({ collected: true })
})
