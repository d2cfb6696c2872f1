/** Detects Python with its HTTP library. Tests that need it are skipped without it, and their titles say so. */
import { spawnSync } from 'node:child_process'

export const hasPython = spawnSync('python3', ['-c', 'import requests']).status === 0
export const NOT_RUN = ' [not run: there is no python3 with requests]'

if (!hasPython && process.env['PYTHON_TESTS'] === 'required')
  throw new Error('PYTHON_TESTS=required, and there is none')
