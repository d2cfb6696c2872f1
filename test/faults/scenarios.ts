import { hookFaults } from './hook-faults.ts'
import { killFaults } from './kill-faults.ts'
import { processFaults } from './process-faults.ts'
import type { Scenario } from './scenario.ts'
import { shutdownFaults } from './shutdown-faults.ts'
import { storeFaults } from './store-faults.ts'
import { tenantFaults } from './tenant-faults.ts'
import { uploadFaults } from './upload-faults.ts'
import { submitFaults } from './submit-faults.ts'
import { valueFaults } from './value-faults.ts'
import { webhookFaults } from './webhook-faults.ts'
import { wireFaults } from './wire-faults.ts'

/** Every fault, in the order of the table. */
export const scenarios: readonly Scenario[] = [
  ...submitFaults,
  ...wireFaults,
  ...valueFaults,
  ...hookFaults,
  ...webhookFaults,
  ...storeFaults,
  ...uploadFaults,
  ...tenantFaults,
  ...killFaults,
  ...processFaults,
  ...shutdownFaults,
]
