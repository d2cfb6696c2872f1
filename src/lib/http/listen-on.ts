import type { Server } from 'node:http'

/**
 * Starts a server.
 * @returns its port: the requested one, or the one that the system chose for port 0.
 * @throws if the address is not available.
 */
export async function listenOn(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : port
}
