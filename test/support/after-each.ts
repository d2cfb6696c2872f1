/** Runs before each test file: closes after every test what the test has opened. */
import { afterEach } from 'vitest'
import { closeAllAfterTest } from './close-after-test.ts'

afterEach(closeAllAfterTest)
