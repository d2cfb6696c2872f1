/** How much of its requests a tenant has left in the minute under way. */
export interface Allowance {
  readonly limit: number
  readonly remaining: number
  /** When the next minute begins, epoch milliseconds. */
  readonly resetAt: number
  /** Whether this request is one too many. */
  readonly isSpent: boolean
}

export interface RequestLimiter {
  /** Counts one request. Never rejects: where the count cannot be kept together with others, it is kept here. */
  take(tenant: string): Promise<Allowance>
}
