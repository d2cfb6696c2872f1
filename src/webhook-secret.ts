/** The process that prints what the receivers of a tenant's webhooks verify with: `npm run webhook-secret -- <tenant>`. */
import { readEnv } from './config/env.ts'
import { toConfig } from './config/config.ts'
import { readSecrets } from './config/secrets.ts'
import { toWebhookSecrets } from './webhooks/secrets.ts'

const [tenant] = process.argv.slice(2)
if (tenant === undefined) {
  process.stderr.write('Usage: npm run webhook-secret -- <tenant>, with the settings that the gateway runs with\n')
  process.exitCode = 1
} else {
  const values = readEnv()
  const { gatewaySecrets } = readSecrets(values, toConfig(values).dataDir)
  process.stdout.write(`${toWebhookSecrets(gatewaySecrets, tenant).join('\n')}\n`)
}
