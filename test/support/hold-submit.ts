import type { FakeUpstream } from './fake-upstream.ts'

/** The next submit is accepted at once, and answered when what this gives is called. */
export function holdSubmit(upstream: Pick<FakeUpstream, 'planSubmits'>): () => void {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  upstream.planSubmits({ kind: 'acceptAfter', until: () => held })
  return release
}
