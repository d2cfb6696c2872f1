import { expect, test } from 'vitest'
import { armFaultPoint, faultPoint } from '../../src/lib/fault-points.ts'

test('a fault point does nothing unless it is armed; then it acts once, on the n-th pass', () => {
  faultPoint('hook-read')
  armFaultPoint('hook-read@3:throw')
  faultPoint('hook-read')
  faultPoint('hook-journaled')
  faultPoint('hook-read')
  expect(() => faultPoint('hook-read')).toThrow('fault point hook-read')
  faultPoint('hook-read')
})

test.each(['', 'nowhere', 'hook-read@0', 'hook-read@', 'hook-read:kill', 'hook-read@2:throw '])(
  'arming a fault point with %j is refused',
  (spec) => {
    expect(() => armFaultPoint(spec)).toThrow(TypeError)
  },
)
