import * as v from 'valibot'
import type {RecordOf} from '../host/records.js'
import {described} from '../host/result-fields.js'

const requestResult = described(
  v.nullable(
    v.object({
      steps: v.array(v.string()),
      opens: described(v.string(), 'what anybody may do then'),
    }),
  ),
  'The change for an administrator.',
)

export const hostReportResult = v.object({
  canRun: v.boolean(),
  engine: v.nullable(v.picklist(['bwrap', 'unshare', 'proot'])),
  checks: v.array(
    v.object({
      id: v.string(),
      title: v.string(),
      status: described(
        v.picklist(['pass', 'warn', 'fail']),
        "warn: envs works, less well; fail: it can't run",
      ),
      evidence: described(v.string(), 'what was seen; may quote a program'),
      cost: v.nullable(v.string()),
      remedy: v.nullable(v.string()),
      request: requestResult,
    }),
  ),
  ticket: described(
    v.nullable(
      v.object({
        requests: v.array(
          v.object({
            check: v.string(),
            evidence: v.string(),
            purpose: v.string(),
            steps: v.array(v.string()),
            opens: v.string(),
          }),
        ),
      }),
    ),
    'The text for an administrator.',
  ),
})
export type HostReportResult = RecordOf<typeof hostReportResult>
