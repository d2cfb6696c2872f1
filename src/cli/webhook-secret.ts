/** Prints the secrets with which receivers verify a tenant's webhooks: `npm run webhook-secret -- <tenant>`. */
import { toConfig } from '../config/config.ts'
import { SettingError } from '../config/env.ts'
import { readEnv } from '../config/read-env.ts'
import { findGatewaySecrets } from '../config/secrets.ts'
import { toWebhookSecrets } from '../webhooks/secrets.ts'

function main([tenant]: readonly string[]): void {
  if (tenant === undefined) {
    throw new SettingError('Usage:', 'npm run webhook-secret -- <tenant>, with the settings that the gateway runs with')
  }
  const { values } = readEnv()
  const config = toConfig(values)
  const secrets = findGatewaySecrets(values, config)
  // Only the gateway creates one: it holds the lock of the folder.
  if (secrets === null) {
    throw new SettingError('GATEWAY_SECRET', `is not set, and ${config.dataDir} has none yet: start the gateway once.`)
  }
  process.stdout.write(`${toWebhookSecrets(secrets, tenant).join('\n')}\n`)
}

try {
  main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof SettingError ? error.message : String(error)}\n`)
  process.exitCode = 1
}
