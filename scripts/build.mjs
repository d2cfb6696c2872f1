// Builds dist/: the gateway and its other commands. `npm run build` builds the embedded upstream as well.
import { rmSync } from 'node:fs'
import { bundle } from './bundle.mjs'

rmSync('dist', { recursive: true, force: true })
await bundle({
  entryPoints: {
    main: 'src/main.ts',
    'copy-database': 'src/cli/copy-database.ts',
    'webhook-secret': 'src/cli/webhook-secret.ts',
  },
  outdir: 'dist',
  // Packages with native parts, and the embedded upstream, which may not be installed.
  external: ['libsql', 'sharp', 'pg-native', 'swapface-gateway-engine'],
  splitting: true,
})
