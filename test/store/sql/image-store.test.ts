import { expect, test } from 'vitest'
import type { StoredImage } from '../../../src/domain/image.ts'
import { createImageStore } from '../../../src/store/sql/image-store.ts'
import { openEngine } from '../../support/open-engine.ts'

const NOW = 1_700_000_000_000

function makeUpload(id: string, tenant: string, createdAt: number): StoredImage {
  return {
    id,
    tenant,
    kind: 'UPLOAD',
    status: 'AWAITING_BYTES',
    contentType: 'image/png',
    byteLength: 1,
    width: null,
    height: null,
    sha256: null,
    sourceSha256: null,
    digitalSourceType: null,
    rejection: null,
    createdAt,
    purgeAt: createdAt + 1_000,
  }
}

test('a tenant that adds many uploads at once gets up to its limit of open uploads, whatever other tenants have', async () => {
  const images = createImageStore(await openEngine())
  const add = async (tenant: string, n: number) =>
    images.addUpload(makeUpload(`upl_${n}`, tenant, NOW), { since: NOW - 1, max: 3 })
  const added = await Promise.all(['a', 'a', 'b', 'a', 'a', 'b', 'a'].map(add))
  expect(added).toEqual([true, true, true, true, false, true, false])
  const later = makeUpload('upl_later', 'a', NOW + 10)
  expect(await images.addUpload(later, { since: NOW, max: 3 })).toBe(true)
})
