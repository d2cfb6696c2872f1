/** Setup file of all tests: closes after each test everything that it opened. */
import { afterEach } from 'vitest'
import { closeAllAfterTest } from './close-after-test.ts'

afterEach(closeAllAfterTest)
