import * as v from 'valibot'
import type {RecordOf} from '../host/records.js'
import {countField, described, digestField, ownNameField} from '../host/result-fields.js'

const layerResult = v.object({
  title: described(v.string(), 'what it does: packages …, users and files, step N: …'),
  key: described(
    v.nullable(digestField),
    'digest of all that decides its content; null before its image is in the cache',
  ),
  isKnown: described(v.boolean(), 'whether the store had it'),
})

const planResult = v.object({
  name: ownNameField,
  table: described(v.string(), 'name in envs.toml'),
  action: v.picklist(['none', 'create', 'replace']),
  image: v.string(),
  layers: v.array(layerResult),
  outreach: described(
    v.array(v.string()),
    'what it asks for beyond its own environment, and has to be allowed',
  ),
})

export const planListResult = v.array(planResult)
export type PlanListResult = RecordOf<typeof planListResult>

const upResult = v.object({
  name: ownNameField,
  table: described(v.string(), 'name in envs.toml'),
  action: v.picklist(['none', 'created', 'replaced']),
  key: digestField,
  layers: v.array(layerResult),
  kept: described(v.nullable(v.string()), 'label of the snapshot with the state that was replaced'),
})

export const upListResult = v.array(upResult)
export type UpListResult = RecordOf<typeof upListResult>

export const initResult = v.object({
  name: ownNameField,
  path: described(v.nullable(v.string()), 'the file that was written; null for standard output'),
  packages: countField,
  files: described(countField, 'files of the environment that the file names in a comment alone'),
})
export type InitResult = RecordOf<typeof initResult>
