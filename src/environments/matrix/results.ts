import * as v from 'valibot'
import type {RecordOf} from '../../host/records.js'
import {architectureField, countField, described} from '../../host/result-fields.js'

const cellResult = v.object({
  image: v.string(),
  architecture: architectureField,
  outcome: described(
    v.picklist(['passed', 'failed', 'error', 'timeout', 'skipped', 'cancelled']),
    'failed: the command; error: envs made no environment, or could not start the command; skipped: never begun',
  ),
  mayFail: v.boolean(),
  status: described(
    v.nullable(countField),
    'exit status of the command; null where it did not end by itself',
  ),
  seconds: described(v.number(), 'of the command, and of its environment before'),
  log: described(v.nullable(v.string()), 'absolute path of the output; null where there is none'),
  message: described(v.nullable(v.string()), 'why there was no environment'),
})

export const matrixResult = v.object({
  cells: v.array(cellResult),
  passed: described(v.boolean(), 'whether each cell passed, or may fail'),
})
export type MatrixResult = RecordOf<typeof matrixResult>
export type Cell = MatrixResult['cells'][number]
