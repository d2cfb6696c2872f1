import { type Config, isLoopback } from './config.ts'

/** Lists the hosts of images and hooks that are allowed even if their address is private. */
export function listAllowedHosts(config: Config, publicUrl: string, embeddedUrl: string | null): readonly string[] {
  const { hostname, host } = new URL(publicUrl)
  return [
    ...config.allowedPrivateHosts,
    ...(isLoopback(hostname) ? [host] : []),
    ...(embeddedUrl === null ? [] : [new URL(embeddedUrl).host]),
  ]
}
