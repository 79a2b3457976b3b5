import * as v from 'valibot'
import type {RecordOf} from '../../host/records.js'
import {described, ownNameField} from '../../host/result-fields.js'
import {EXPOSURE_LEVELS} from './levels.js'

const levelResult = v.picklist(EXPOSURE_LEVELS)

const exposureLineResult = v.object({
  area: v.picklist([
    'identity',
    'mounts',
    'network',
    'ports',
    'namespaces',
    'shares',
    'kernel',
    'capabilities',
  ]),
  level: levelResult,
  code: described(v.string(), 'a word that stays the same in later versions'),
  text: v.string(),
})
export type ExposureLine = RecordOf<typeof exposureLineResult>

export const exposureResult = v.object({
  name: ownNameField,
  isRunning: described(
    v.boolean(),
    'whether the kernel told all this of its processes; false: its next start would give it this',
  ),
  profile: v.picklist(['trusted', 'default', 'isolated']),
  level: described(levelResult, 'the highest level of the lines'),
  lines: v.array(exposureLineResult),
})
export type ExposureResult = RecordOf<typeof exposureResult>

export const auditResult = v.object({
  level: described(levelResult, 'the highest level of all environments'),
  failOn: described(v.nullable(levelResult), 'the value of --fail-on'),
  environments: v.array(exposureResult),
  unknown: described(v.array(v.string()), 'names of environments that could not be examined'),
})
export type AuditResult = RecordOf<typeof auditResult>
