import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { createJwtVerifier } from '../../src/auth/jwt.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openScriptedHost } from '../support/scripted-host.ts'

test('a JWT is accepted if the key set has at most 1 MiB, and refused if the key set is larger', async () => {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }]
  const token = await new SignJWT({ iss: 'i', aud: 'a', sub: 's', exp: Math.floor(Date.now() / 1_000) + 600 })
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .sign(privateKey)
  const verify = async (padding: number) => {
    const host = await openScriptedHost((_seen, response) =>
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ keys, padding: 'x'.repeat(padding) })),
    )
    closeAfterTest(() => host.close())
    return createJwtVerifier({ jwksUrl: `${host.url}/jwks`, issuer: 'i', audience: 'a' }).verify(token)
  }
  expect((await verify(1_000_000))?.tenant).toBe('s')
  expect(await verify(1_100_000)).toBeNull()
})
