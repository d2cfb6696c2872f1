import { type Config, isLoopback } from './config.ts'

/** Hosts of images and hooks that may be used although their address is private. */
export function listAllowedHosts(config: Config, publicUrl: string, embeddedUrl: string | null): readonly string[] {
  const { hostname, host } = new URL(publicUrl)
  return [
    ...config.allowedPrivateHosts,
    ...(isLoopback(hostname) ? [host] : []),
    ...(embeddedUrl === null ? [] : [new URL(embeddedUrl).host]),
  ]
}
