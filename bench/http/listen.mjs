/**
 * Listens on a free port and prints the address for the parent process.
 * @param {import('node:http').Server} server
 */
export function listen(server) {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    if (typeof address === 'object' && address) process.stdout.write(`http://127.0.0.1:${address.port}\n`)
  })
}
