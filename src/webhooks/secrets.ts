import { hkdfSync } from 'node:crypto'

/**
 * The secrets that sign a tenant's webhooks, in the form that receivers get. There is one for each of the gateway's
 * secrets, so that events carry both signatures during a rotation.
 */
export function toWebhookSecrets(gatewaySecrets: readonly string[], tenant: string): readonly string[] {
  return gatewaySecrets.map((secret) => {
    const key = hkdfSync('sha256', secret, tenant, 'swapface webhook', 32)
    return `whsec_${Buffer.from(key).toString('base64')}`
  })
}
