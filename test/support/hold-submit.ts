import type { FakeUpstream } from './fake-upstream.ts'

/** Accepts the next submit at once, and holds its response until the returned function is called. */
export function holdSubmit(upstream: Pick<FakeUpstream, 'planSubmits'>): () => void {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  upstream.planSubmits({ kind: 'acceptAfter', until: () => held })
  return release
}
