/** The authenticated caller. A job belongs to the tenant of the viewer who made it. */
export interface Viewer {
  readonly tenant: string
  /** When what the caller showed ends, epoch milliseconds; null: never. Streams end with it. */
  readonly expiresAt: number | null
}

/** Every caller of a gateway that listens on a loopback address and has no keys set. */
export const localViewer: Viewer = { tenant: 'local', expiresAt: null }
