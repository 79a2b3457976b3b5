import * as v from 'valibot'
import type {RecordOf} from '../../host/records.js'
import {described} from '../../host/result-fields.js'

export const startedProgramResult = described(
  v.object({environment: v.string(), program: described(v.string(), 'its name in envs services and logs')}),
  'A program that runs in the background.',
)
export type StartedProgramResult = RecordOf<typeof startedProgramResult>
