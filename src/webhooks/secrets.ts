import { hkdfSync } from 'node:crypto'

/**
 * The secrets that a tenant's webhooks are signed with, as receivers are given them: one for each of the gateway's own,
 * so that while that is rotated events carry the signatures of both.
 */
export function toWebhookSecrets(gatewaySecrets: readonly string[], tenant: string): readonly string[] {
  return gatewaySecrets.map((secret) => {
    const key = hkdfSync('sha256', secret, tenant, 'swapface webhook', 32)
    return `whsec_${Buffer.from(key).toString('base64')}`
  })
}
